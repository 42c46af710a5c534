// State of push endpoints: one document for each URL of an account that has been posted to. Written by the notifier alone.
import { createHash } from "node:crypto";
import type { Collection } from "mongodb";
import type { Store } from "./connection.ts";
import { guard, guardLong } from "./connection.ts";
import { refusedAsDuplicates } from "./refused-as-duplicates.ts";

export interface EndpointAnswer {
  at: Date;
  /** 0 where there was no answer. */
  status: number;
  /** What went wrong, in words; absent after a success. */
  error?: string;
}

/** `slowed`: fails or asks to wait; tried one at a time. `off`: answered 410; nothing is posted until it is switched on. */
export interface EndpointState {
  /** See endpointKey. */
  _id: string;
  account: string;
  /** Without credentials. */
  url: string;
  state: "open" | "slowed" | "off";
  since: Date;
  /** The moment before which nothing is posted, where it asked for that (Retry-After). */
  until?: Date;
  lastAnswer?: EndpointAnswer;
  /** Where it came with a job: each may name another, and nobody would ever tidy them up. */
  expiresAt?: Date;
}

export function endpointKey(account: string, url: string): string {
  return `${account}/${createHash("sha256").update(url).digest("hex").slice(0, 32)}`;
}

/** A URL fit for records and answers: no credentials in it. */
export function displayUrl(url: string): string {
  if (!URL.canParse(url)) return "";
  const shown = new URL(url);
  shown.username = "";
  shown.password = "";
  return shown.href;
}

export interface EndpointReader {
  /** State of an account's endpoint; one that was never posted to has none yet and is open. */
  get(account: string, url: string): Promise<EndpointState | undefined>;
}

export interface Endpoints extends EndpointReader {
  /** Those of them that are switched off, or asked for nothing before a later moment. */
  held(keys: readonly string[], now: Date): Promise<readonly EndpointState[]>;
  /** What is off is opened by `enable` alone, never by what another replica still thinks of it. */
  save(states: readonly EndpointState[]): Promise<void>;
  /** Opens all endpoints of an account; answers how many were not open. */
  enable(account: string, now: Date): Promise<number>;
  forget(account: string): Promise<void>;
}

function endpointsOf(store: Store): Collection<EndpointState> {
  return store.collection<EndpointState>("endpoints");
}

export async function ensureEndpointIndexes(store: Store): Promise<void> {
  await guardLong(() =>
    endpointsOf(store).createIndexes([
      { name: "account", key: { account: 1 } },
      { name: "expiry", key: { expiresAt: 1 }, expireAfterSeconds: 0 },
    ]),
  );
}

/** Over a state that is off only another off is written: the filter matches nothing then, and the insert is refused. */
async function saveStates(endpoints: Collection<EndpointState>, states: readonly EndpointState[]): Promise<void> {
  if (states.length === 0) return;
  const operations = states.map(({ _id, ...fields }) => ({
    replaceOne: {
      filter: fields.state === "off" ? { _id } : { _id, state: { $ne: "off" as const } },
      replacement: fields,
      upsert: true,
    },
  }));
  try {
    await endpoints.bulkWrite(operations, { ordered: false });
  } catch (error) {
    refusedAsDuplicates(error);
  }
}

export function createEndpoints(store: Store): Endpoints {
  const endpoints = endpointsOf(store);
  return {
    get: (account, url) =>
      guard(async () => (await endpoints.findOne({ _id: endpointKey(account, url) })) ?? undefined),
    held: (keys, now) => {
      const isHeld = { $or: [{ state: "off" as const }, { state: "slowed" as const, until: { $gt: now } }] };
      return guard(() => endpoints.find({ _id: { $in: [...keys] }, ...isHeld }).toArray());
    },
    save: (states) => guard(() => saveStates(endpoints, states)),
    enable: (account, now) =>
      guard(async () => {
        const result = await endpoints.updateMany(
          { account, state: { $ne: "open" } },
          { $set: { state: "open", since: now }, $unset: { until: "" } },
        );
        return result.modifiedCount;
      }),
    forget: (account) => guard(async () => void (await endpoints.deleteMany({ account }))),
  };
}
