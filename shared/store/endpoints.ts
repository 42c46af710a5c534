// State of push endpoints: one document for each URL of an account that has been posted to. Written by the notifier alone.
import { createHash } from "node:crypto";
import type { Collection } from "mongodb";
import type { Store } from "./connection.ts";
import { guard } from "./connection.ts";

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
  /** Counts up each time an operator switched it on. */
  enabled: number;
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
  /** Those that are not open. */
  troubled(): Promise<readonly EndpointState[]>;
  save(state: EndpointState): Promise<void>;
  /** Opens all endpoints of an account; answers how many were not open. */
  enable(account: string, now: Date): Promise<number>;
  forget(account: string): Promise<void>;
}

function endpointsOf(store: Store): Collection<EndpointState> {
  return store.collection<EndpointState>("endpoints");
}

export async function ensureEndpointIndexes(store: Store): Promise<void> {
  await guard(() =>
    endpointsOf(store).createIndexes([
      { name: "account", key: { account: 1 } },
      { name: "state", key: { state: 1 } },
    ]),
  );
}

export function createEndpoints(store: Store): Endpoints {
  const endpoints = endpointsOf(store);
  return {
    get: (account, url) =>
      guard(async () => (await endpoints.findOne({ _id: endpointKey(account, url) })) ?? undefined),
    troubled: () => guard(() => endpoints.find({ state: { $in: ["slowed", "off"] } }).toArray()),
    save: (state) => guard(async () => void (await endpoints.replaceOne({ _id: state._id }, state, { upsert: true }))),
    enable: (account, now) =>
      guard(async () => {
        const result = await endpoints.updateMany(
          { account, state: { $ne: "open" } },
          { $set: { state: "open", since: now }, $inc: { enabled: 1 }, $unset: { until: "" } },
        );
        return result.modifiedCount;
      }),
    forget: (account) => guard(async () => void (await endpoints.deleteMany({ account }))),
  };
}
