// What the operations of the API work with.
import { isDeepStrictEqual } from "node:util";
import type { Broker } from "#shared/broker/actor.ts";
import type { Clock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import type { ConfigurationPort } from "#shared/routing/configuration.ts";
import type { Sealer } from "#shared/secrets.ts";
import type { Accounts } from "#shared/store/accounts.ts";
import type { Audit } from "#shared/store/audit.ts";
import type { Session } from "#shared/store/changes.ts";
import type { Store } from "#shared/store/connection.ts";
import type { DeadLetters } from "#shared/store/dead-letters.ts";
import type { DeadNotificationReader } from "#shared/store/dead-notifications.ts";
import type { Documents } from "#shared/store/documents.ts";
import type { Domains } from "#shared/store/domains.ts";
import type { EndpointReader } from "#shared/store/endpoints.ts";
import type { HeldJobs } from "#shared/store/held-jobs.ts";
import type { MailReader } from "#shared/store/mail-reader.ts";
import type { RecordMarks } from "#shared/store/marks.ts";
import type { Relays } from "#shared/store/relays.ts";
import type { Suppressions } from "#shared/store/suppressions.ts";
import type { UnrecordedJobs } from "#shared/store/unrecorded-jobs.ts";
import type { WaitingJobs } from "#shared/store/waiting-jobs.ts";
import type { LaneStates } from "../lane-states.ts";

export interface ApiSettings {
  adminToken: string;
  forbiddenLocalParts: readonly string[];
  mxPort: number;
  notifyDeadlineMs: number;
}

export interface ApiContext {
  settings: ApiSettings;
  clock: Clock;
  log: Log;
  broker: Broker;
  store: Store;
  sealer: Sealer;
  configuration: ConfigurationPort;
  lanes: LaneStates;
  accounts: Accounts;
  domains: Domains;
  relays: Relays;
  audit: Audit;
  deadLetters: DeadLetters;
  deadNotifications: DeadNotificationReader;
  endpoints: EndpointReader;
  held: HeldJobs;
  mails: MailReader;
  marks: Pick<RecordMarks, "recordedUpTo">;
  suppressions: Pick<Suppressions, "find" | "list">;
  unrecorded: UnrecordedJobs;
  waiting: Pick<WaitingJobs, "accepted">;
}

export interface Change {
  who: string;
  what: string;
  account: string;
  /** As shown to operators, without secrets; absent where there was or is nothing. */
  from?: object | undefined;
  to?: object | undefined;
  secrets?: readonly string[];
  /** Found from `from` and `to` where not given. */
  action?: string;
}

function actionOf({ action, from, to }: Change): string {
  if (action !== undefined) return action;
  if (from === undefined) return "create";
  return to === undefined ? "remove" : "change";
}

/** Writes what the audit shows of a change: in the transaction of the change, or by itself. */
export async function audited(context: ApiContext, change: Change, session?: Session): Promise<void> {
  const { who, what, account, from, to, secrets = [] } = change;
  const entry = {
    _id: context.clock.uuid(),
    at: context.clock.now(),
    who,
    what,
    action: actionOf(change),
    account,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(secrets.length === 0 ? {} : { secrets }),
  };
  await context.audit.write(entry, session);
  const facts = { who, what, action: entry.action, account };
  context.log.info(facts, "control.changed");
}

export interface Write<T> {
  documents: Pick<Documents<T & { _id: string }>, "write">;
  before: T | undefined;
  after: T;
}

/** Writes a document with its audit entry, unless nothing changed: a PUT is idempotent. */
export async function writeChanged<T extends { _id: string }>(
  context: ApiContext,
  change: { write: Write<T>; audit: Change },
  session: Session,
): Promise<void> {
  const { documents, before, after } = change.write;
  if (before !== undefined && isDeepStrictEqual(before, after)) return;
  await documents.write(after, session);
  await audited(context, change.audit, session);
}
