// How configuration reaches the services (docs/architecture.md, Routing): they ask what was changed, first of all, then read
// everything, and then ask again and again; what an answer names is read again. On any error everything is.
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "#shared/clock.ts";
import { ConfigurationStale } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import type { Account, Configuration, ConfigurationPort, Relay, SenderDomain } from "#shared/routing/configuration.ts";
import type { ChangeReader } from "./changed.ts";
import { createChangeReader } from "./changed.ts";
import type { Store } from "./connection.ts";
import { createLooks, LOOK_EVERY_MS } from "./looks.ts";

export const CONFIGURATION_COLLECTIONS = { accounts: "accounts", domains: "domains", relays: "relays" } as const;

type CollectionName = keyof typeof CONFIGURATION_COLLECTIONS;
type Documents = {
  accounts: ReadonlyMap<string, Account>;
  domains: ReadonlyMap<string, SenderDomain>;
  relays: ReadonlyMap<string, Relay>;
};

/** Older than this, a configuration no longer decides anything. */
const STALE_MS = 5_000;
/** For what somebody changed past control: a restored backup, a hand on the database. */
const READ_ALL_EVERY_MS = 10_000;
const UNANSWERED_MS = 4_000;
const FIRST_ANSWER_MS = 2_000;
const RETRY_MS = 250;

/** The key of a domain, and of its relay. */
export function domainKey(account: string, domain: string): string {
  return `${account}/${domain}`;
}

/** A configuration over plain documents; also for tests, which need no database. */
export function configurationOf(documents: {
  accounts?: Iterable<Account>;
  domains?: Iterable<SenderDomain>;
  relays?: Iterable<Relay>;
}): Configuration {
  const byId = <T extends { _id: string }>(items: Iterable<T> = []): Map<string, T> =>
    new Map([...items].map((item) => [item._id, item]));
  return snapshot({
    accounts: byId(documents.accounts),
    domains: byId(documents.domains),
    relays: byId(documents.relays),
  });
}

function snapshot(documents: Documents): Configuration {
  const accounts = [...documents.accounts.values()];
  const relays = [...documents.relays.values()];
  const byBrokerUser = new Map(
    accounts.flatMap((account) => (account.brokerUser === undefined ? [] : [[account.brokerUser, account] as const])),
  );
  return {
    account: (name) => documents.accounts.get(name),
    accounts: () => accounts,
    accountOfBrokerUser: (user) => byBrokerUser.get(user),
    domain: (account, domain) => documents.domains.get(domainKey(account, domain)),
    relay: (account, domain) => documents.relays.get(domainKey(account, domain)),
    relays: () => relays,
  };
}

async function readAll<T extends { _id: string }>(store: Store, name: CollectionName): Promise<Map<string, T>> {
  const found = await store.collection<T>(name).find().toArray();
  return new Map(found.map((item) => [item._id, item as T]));
}

async function readEverything(store: Store): Promise<Documents> {
  const [accounts, domains, relays] = await Promise.all([
    readAll<Account>(store, "accounts"),
    readAll<SenderDomain>(store, "domains"),
    readAll<Relay>(store, "relays"),
  ]);
  return { accounts, domains, relays };
}

/** The map with the named documents as they are now. */
async function refresh<T extends { _id: string }>(
  source: { store: Store; name: CollectionName; keys: ReadonlySet<string> },
  before: ReadonlyMap<string, T>,
): Promise<ReadonlyMap<string, T>> {
  const filter = { _id: { $in: [...source.keys] } } as object;
  const found = await source.store.collection<T>(source.name).find(filter).toArray();
  const after = new Map(before);
  for (const key of source.keys) after.delete(key);
  for (const item of found) after.set(item._id, item as T);
  return after;
}

export interface ConfigurationWatch extends ConfigurationPort {
  /** Looks for changes at once: somebody told of one. */
  lookSoon(): void;
}

class Watcher implements ConfigurationWatch {
  readonly #store: Store;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #listeners = new Set<(configuration: Configuration) => void>();
  readonly #closing = new AbortController();
  #confirming: PromiseWithResolvers<void>[] = [];
  #documents: Documents | undefined;
  #configuration: Configuration | undefined;
  #confirmedMs = 0;
  #readAllMs = 0;
  readonly #looks;
  #running: Promise<void> = Promise.resolve();

  constructor(store: Store, log: Log, clock: Clock) {
    this.#store = store;
    this.#log = log;
    this.#clock = clock;
    this.#looks = createLooks(clock);
  }

  get isFresh(): boolean {
    return this.#configuration !== undefined && this.#clock.nowMs() - this.#confirmedMs <= STALE_MS;
  }

  current(): Configuration {
    if (this.#configuration === undefined || !this.isFresh) {
      throw new ConfigurationStale("the configuration could not be confirmed for 5 seconds");
    }
    return this.#configuration;
  }

  get newest(): Configuration | undefined {
    return this.#configuration;
  }

  async confirmed(): Promise<Configuration> {
    const confirmation = Promise.withResolvers<void>();
    this.#confirming.push(confirmation);
    if (this.#closing.signal.aborted) this.#refuseConfirming();
    this.#looks.soon();
    await confirmation.promise;
    return this.current();
  }

  #refuseConfirming(): void {
    const stale = new ConfigurationStale("the configuration could not be confirmed");
    for (const { reject } of this.#confirming.splice(0)) reject(stale);
  }

  onChange(listener: (configuration: Configuration) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  lookSoon(): void {
    this.#looks.soon();
  }

  /** Resolves after the first answer or the first failure, whatever comes of it. */
  async start(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#running = this.#run(resolve);
      void this.#clock.sleep(FIRST_ANSWER_MS, this.#closing.signal).then(resolve, resolve);
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#refuseConfirming();
    await this.#running;
  }

  async #run(onFirst: () => void): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await this.#follow(onFirst).catch((error: unknown) => {
        this.#refuseConfirming();
        if (!this.#closing.signal.aborted) this.#log.warn({ err: error }, "configuration.reread");
      });
      onFirst();
      await this.#clock.sleep(RETRY_MS, this.#closing.signal).catch(() => undefined);
    }
  }

  async #follow(onFirst: () => void): Promise<void> {
    const reader = createChangeReader(this.#store, this.#clock);
    await this.#ask(reader.changed());
    await this.#readAll();
    while (!this.#closing.signal.aborted) {
      onFirst();
      await this.#looks.wait(LOOK_EVERY_MS, this.#closing.signal);
      await this.#look(reader);
    }
  }

  async #look(reader: ChangeReader): Promise<void> {
    const asked = this.#confirming.length;
    const changed = await this.#ask(reader.changed());
    const sinceMs = this.#clock.nowMs() - this.#readAllMs;
    if (sinceMs > READ_ALL_EVERY_MS || sinceMs < 0) await this.#readAll();
    else if (changed.size > 0) await this.#refresh(changed);
    this.#confirmedMs = this.#clock.nowMs();
    for (const { resolve } of this.#confirming.splice(0, asked)) resolve();
  }

  /** The database's answer; rejects where there is none. */
  async #ask<T>(question: Promise<T>): Promise<T> {
    const answered = new AbortController();
    const signal = AbortSignal.any([answered.signal, this.#closing.signal]);
    const late = this.#clock.sleep(UNANSWERED_MS, signal).then(
      () => Promise.reject(new ConfigurationStale("the database does not answer")),
      () => Promise.reject(new ConfigurationStale("nobody waits for the configuration any longer")),
    );
    late.catch(() => undefined);
    question.catch(() => undefined);
    return Promise.race([question, late]).finally(() => answered.abort());
  }

  async #readAll(): Promise<void> {
    const documents = await this.#ask(readEverything(this.#store));
    this.#readAllMs = this.#clock.nowMs();
    if (this.#documents === undefined || !isDeepStrictEqual(documents, this.#documents)) this.#apply(documents);
    else this.#confirmedMs = this.#clock.nowMs();
  }

  async #refresh(changed: ReadonlySet<string>): Promise<void> {
    const before = this.#documents;
    if (before === undefined) return;
    const source = { store: this.#store, keys: changed };
    const [accounts, domains, relays] = await this.#ask(
      Promise.all([
        refresh({ ...source, name: "accounts" }, before.accounts),
        refresh({ ...source, name: "domains" }, before.domains),
        refresh({ ...source, name: "relays" }, before.relays),
      ]),
    );
    this.#apply({ accounts, domains, relays });
  }

  #apply(documents: Documents): void {
    this.#documents = documents;
    this.#configuration = snapshot(documents);
    this.#confirmedMs = this.#clock.nowMs();
    const configuration = this.#configuration;
    for (const listener of this.#listeners) listener(configuration);
  }
}

/** Follows accounts, domains and relays. Does not wait for an absent database: it is then not fresh until there is one. */
export async function watchConfiguration(store: Store, log: Log, clock: Clock): Promise<ConfigurationWatch> {
  const watcher = new Watcher(store, log, clock);
  await watcher.start();
  return watcher;
}
