// A notifier alone: tracking points are published as router and delivery would, accounts are written as control would.
import type { Broker } from "#shared/broker/actor.ts";
import { connectBroker } from "#shared/broker/broker.ts";
import { EXCHANGES, eventRoutingKey, ROUTING_KEYS } from "#shared/broker/topology.ts";
import { systemClock } from "#shared/clock.ts";
import { changedMessage } from "#shared/contracts/configuration-changed.ts";
import type { Command, CommandReply } from "#shared/contracts/command.ts";
import { mailIdOf } from "#shared/contracts/ids.ts";
import type { JobHead } from "#shared/contracts/mail.ts";
import type { TrackedEvent, TrackedFact, TrackedMail } from "#shared/contracts/make-event.ts";
import { makeEvent } from "#shared/contracts/make-event.ts";
import { createLog } from "#shared/log.ts";
import type { Account, EndpointSettings } from "#shared/routing/configuration.ts";
import type { Sealer } from "#shared/secrets.ts";
import { createSealer } from "#shared/secrets.ts";
import { createAccounts } from "#shared/store/accounts.ts";
import { inTurn } from "#shared/store/changes.ts";
import type { Store } from "#shared/store/connection.ts";
import { connectStore } from "#shared/store/connection.ts";
import type { DeadNotificationView } from "#shared/store/dead-notifications.ts";
import { createDeadNotifications } from "#shared/store/dead-notifications.ts";
import type { MailReader } from "#shared/store/mail-reader.ts";
import { createMailReader } from "#shared/store/mail-reader.ts";
import { uniqueLabel } from "./addresses.ts";
import { eventually } from "./eventually.ts";
import type { System, SystemOptions } from "./system.ts";
import { startSystem } from "./system.ts";

export interface NotifierAlone {
  readonly system: System;
  readonly broker: Broker;
  readonly store: Store;
  readonly sealer: Sealer;
  readonly reader: MailReader;
  /** An account with this endpoint, once the notifier knows it (or at once). */
  account(notification?: EndpointSettings, settings?: Partial<Account>): Promise<Account>;
  publish(events: readonly TrackedEvent[]): Promise<void>;
  command(command: Command): Promise<CommandReply>;
  dead(account: string): Promise<readonly DeadNotificationView[]>;
  stop(): Promise<void>;
}

export interface TestJob {
  head: JobHead;
  mails: readonly TrackedMail[];
  event(mailIndex: number, fact: Omit<TrackedFact, "at" | "attempt"> & Partial<TrackedFact>): TrackedEvent;
  /** STARTED, PROCESSED and DELIVERED of one mail. */
  life(mailIndex: number): TrackedEvent[];
}

/** A job of so many mails, as router and delivery would tell of it. */
export function testJob(account: Account, mailCount = 1, head: Partial<JobHead> = {}): TestJob {
  const now = new Date();
  const jobId = uniqueLabel("job");
  const whole: JobHead = {
    jobId,
    account: account._id,
    customerNo: account.customerNo,
    receivedTs: now.toISOString(),
    deadline: new Date(now.getTime() + 3_600_000).toISOString(),
    envelopeFrom: "sender@acme.example",
    sender: "sender@acme.example",
    from: "FromName <sender@acme.example>",
    bulk: false,
    ...head,
  };
  const mails = Array.from({ length: mailCount }, (_, index): TrackedMail => {
    const recipient = `to-${index}-${jobId}@example.com`;
    return { head: whole, mailId: mailIdOf(jobId, index), email: `ToName <${recipient}>`, recipient };
  });
  const event: TestJob["event"] = (mailIndex, fact) => {
    const mail = mails[mailIndex];
    if (mail === undefined) throw new Error(`the job has no mail ${mailIndex}`);
    return makeEvent(mail, { attempt: 1, at: new Date(), ...fact });
  };
  return {
    head: whole,
    mails,
    event,
    life: (mailIndex) => [
      event(mailIndex, { point: "STARTED", attempt: 0, record: { mails: mailCount } }),
      event(mailIndex, { point: "PROCESSED", attempt: 0, record: { mails: mailCount, relay: "relay.example.net" } }),
      event(mailIndex, {
        point: "DELIVERED",
        description: "mail delivered",
        smtp: { responseCode: "250", reason: "sent (250 2.0.0 Ok)", relay: "relay.example.net", dsn: "2.0.0" },
      }),
    ],
  };
}

async function publishEvents(broker: Broker, events: readonly TrackedEvent[]): Promise<void> {
  await broker.publish(
    events.map(({ body, record }) => ({
      exchange: EXCHANGES.events,
      routingKey: eventRoutingKey(body.meta.account, body.notification.meta.event),
      type: "event",
      body,
      record,
      mayBeUnrouted: true,
      packedTo: { exchange: EXCHANGES.points, routingKey: ROUTING_KEYS.points },
      traceparent: record.traceparent,
    })),
  );
}

export interface AccountPorts {
  store: Store;
  broker: Pick<Broker, "publish">;
}

/** As control does, so that whoever follows the configuration hears of it. */
export async function writeAccount({ store, broker }: AccountPorts, account: Account): Promise<void> {
  await inTurn(store, account._id, (session) => createAccounts(store).write(account, session));
  await broker.publish([changedMessage()]);
}

async function addAccount(ports: AccountPorts, settings: Partial<Account>): Promise<Account> {
  const account: Account = {
    _id: uniqueLabel("acct"),
    customerNo: "4711",
    sourceIps: [],
    limits: { waitingMails: 200_000 },
    ...settings,
  };
  await writeAccount(ports, account);
  return account;
}

/** Starts a notifier with settings of its own. */
export async function startNotifier(
  env: Record<string, string> = {},
  options: Omit<SystemOptions, "env"> = {},
): Promise<NotifierAlone> {
  const system = await startSystem({ services: ["notifier"], ...options, env });
  const log = createLog("test", "silent");
  const store = connectStore(system.mongodbUri, log);
  const broker = connectBroker({ urls: [system.amqpUrl], service: "control", log, clock: systemClock });
  await eventually(() => broker.ready);
  const sealer = createSealer(Buffer.from(system.plan.env["WAYPOST_SECRET_KEY"] ?? "", "base64"));
  const dead = createDeadNotifications(store);
  const command = async (asked: Command): Promise<CommandReply> =>
    (await broker.request("notifier", { version: 1, command: asked }, 20_000)) as CommandReply;
  return {
    system,
    broker,
    store,
    sealer,
    reader: createMailReader(store),
    account: (notification, settings = {}) =>
      addAccount({ store, broker }, { ...settings, ...(notification === undefined ? {} : { notification }) }),
    publish: (events) => publishEvents(broker, events),
    command,
    dead: async (account) => (await dead.list({ account })).items,
    stop: async () => {
      await broker.close(0);
      await store.close();
      await system.stop();
    },
  };
}
