// What PUT …/relay takes (contract, Relay Service 3 to 6), what it makes of the relay that is there, and what is shown of one.
import { z } from "zod";
import { parseAddress } from "#shared/email/address.ts";
import { comparableAddress } from "#shared/email/comparable-address.ts";
import { TLS_MODES } from "#shared/routing/configuration.ts";
import type { Sealer } from "#shared/secrets.ts";
import { domainKey } from "#shared/store/configuration.ts";
import type { StoredRelay, Verification } from "#shared/store/relays.ts";
import type { LaneState } from "../lane-states.ts";
import { hostName, isoTime, line, secret } from "./fields.ts";
import { present } from "./present.ts";
import { kept, resealed } from "./sealed.ts";
import type { Mistake } from "#shared/contracts/problem.ts";

const MOST_SENDERS = 10;
const MOST_CONNECTIONS = 1_000;
const DEFAULTS = { port: 25, tls: "opportunistic", maxConnections: 10 } as const;

export const relayInput = z.strictObject({
  host: hostName.describe("a fully qualified domain name"),
  port: z.int({ error: "a port from 1 to 65535" }).min(1).max(65_535).default(DEFAULTS.port),
  senders: z
    .array(z.string())
    .max(MOST_SENDERS, { error: `at most ${MOST_SENDERS} sender addresses` })
    .default([])
    .describe("addresses of this domain; none: every sender of the domain takes the relay"),
  tls: z.enum(TLS_MODES).default(DEFAULTS.tls),
  auth: z
    .strictObject({ user: line(255), password: secret })
    .nullable()
    .optional()
    .describe("kept when absent (as its password is); null removes it"),
  maxConnections: z
    .int()
    .min(1, { error: "at least 1" })
    .max(MOST_CONNECTIONS, { error: `at most ${MOST_CONNECTIONS}` })
    .default(DEFAULTS.maxConnections)
    .describe("for each delivery replica"),
  enabled: z.boolean().default(true),
});
export type RelayInput = z.output<typeof relayInput>;

export const WAITING = ["reroute", "bounce"] as const;
export type Waiting = (typeof WAITING)[number];
export const waitingQuery = z
  .enum(WAITING)
  .optional()
  .describe("what becomes of mails that wait: the default route, or a bounce");

export const verificationStep = z.object({ step: z.string(), ok: z.boolean(), detail: z.string(), ms: z.number() });

export const laneView = z.object({
  depth: z.int().describe("mails ready in the lane"),
  inFlight: z.int().describe("mails in an attempt"),
  state: z.enum(["active", "suspended", "held"]),
  reason: z.string().optional(),
  lastResponse: z.string().optional(),
  since: isoTime.optional(),
});

export const relayView = z
  .object({
    account: z.string(),
    domain: z.string(),
    host: z.string(),
    port: z.int(),
    senders: z.array(z.string()),
    tls: z.enum(TLS_MODES),
    auth: z.object({ user: z.string() }).optional(),
    maxConnections: z.int(),
    enabled: z.boolean(),
    lane: laneView,
    verification: z
      .object({ at: isoTime, host: z.string(), port: z.int(), steps: z.array(verificationStep) })
      .optional()
      .describe("the last one"),
  })
  .meta({ id: "Relay" });
export type RelayView = z.output<typeof relayView>;

/** Senders that are no addresses of the domain. */
export function senderMistakes(senders: readonly string[], domain: string): Mistake[] {
  return senders.flatMap((sender, index) => {
    const parsed = parseAddress(sender);
    if (parsed === undefined) return [{ path: `senders[${index}]`, message: "no address" }];
    if (parsed.domain === domain) return [];
    return [{ path: `senders[${index}]`, message: `an address outside of ${domain}` }];
  });
}

interface Stored {
  account: string;
  domain: string;
  before: StoredRelay | undefined;
  sealer: Sealer;
  now: Date;
  waiting: Waiting | undefined;
}

function authOf(given: RelayInput["auth"], before: StoredRelay["auth"], sealer: Sealer): StoredRelay["auth"] {
  if (given === undefined) return kept(before, "password", sealer);
  if (given === null || given.password === null) return undefined;
  const password = resealed(given.password, before?.password, sealer);
  return password === undefined ? undefined : { user: given.user, password };
}

/** A relay that DELETE was said of is no relay: nothing of it is kept but the count of resumptions. */
export function livingRelay(stored: StoredRelay | undefined): StoredRelay | undefined {
  return stored?.deletedAt === undefined ? stored : undefined;
}

export function authMistakes(input: RelayInput, before: StoredRelay | undefined): Mistake[] {
  const { auth } = input;
  if (auth === undefined || auth === null || auth.password !== undefined) return [];
  return livingRelay(before)?.auth === undefined ? [{ path: "auth.password", message: "required" }] : [];
}

function removedOf(input: RelayInput, { before, now, waiting }: Stored): StoredRelay["removed"] {
  if (input.enabled) return undefined;
  const living = livingRelay(before);
  if (living?.enabled === false) return living.removed;
  return waiting === undefined ? undefined : { at: now, waiting };
}

export function changedRelay(input: RelayInput, stored: Stored): StoredRelay {
  const { account, domain, before, sealer } = stored;
  const living = livingRelay(before);
  const senders = [...new Set(input.senders.map(comparableAddress))];
  return {
    _id: domainKey(account, domain),
    account,
    domain,
    host: input.host,
    port: input.port,
    senders,
    tls: input.tls,
    ...present({ auth: authOf(input.auth, living?.auth, sealer) }),
    maxConnections: input.maxConnections,
    enabled: input.enabled,
    held: living?.held ?? false,
    resumedCount: before?.resumedCount ?? 0,
    ...present({ removed: removedOf(input, stored) }),
  };
}

/** What is shown of a relay itself, without its lane: also in the audit. */
export function viewSettings(relay: StoredRelay): Omit<RelayView, "lane" | "verification"> {
  const { account, domain, host, port, senders, tls, auth, maxConnections, enabled } = relay;
  return {
    account,
    domain,
    host,
    port,
    senders: [...senders],
    tls,
    ...(auth === undefined ? {} : { auth: { user: auth.user } }),
    maxConnections,
    enabled,
  };
}

export function viewRelay(relay: StoredRelay, lane: LaneState, verification: Verification | undefined): RelayView {
  return {
    ...viewSettings(relay),
    lane: { ...lane },
    ...(verification === undefined ? {} : { verification: viewVerification(verification) }),
  };
}

function viewVerification({ at, host, port, steps }: Verification): NonNullable<RelayView["verification"]> {
  return { at: at.toISOString(), host, port, steps: [...steps] };
}
