// How configuration reaches the services (design, Routing): the change stream is opened first, then everything is read,
// then changes are applied as they come. On any error or lost token everything is read again.
import type { ChangeStream, ChangeStreamDocument } from "mongodb";
import type { Clock } from "#shared/clock.ts";
import { ConfigurationStale } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import type { Account, Configuration, ConfigurationPort, Relay, SenderDomain } from "#shared/routing/configuration.ts";
import type { Store } from "./connection.ts";

export const CONFIGURATION_COLLECTIONS = { accounts: "accounts", domains: "domains", relays: "relays" } as const;

type CollectionName = keyof typeof CONFIGURATION_COLLECTIONS;
type Documents = {
  accounts: ReadonlyMap<string, Account>;
  domains: ReadonlyMap<string, SenderDomain>;
  relays: ReadonlyMap<string, Relay>;
};

/** Older than this, a configuration no longer decides anything. */
const STALE_MS = 5_000;
/** The stream answers at least this often, also when nothing changed: the confirmation that nothing did. */
const HEARTBEAT_MS = 500;
const UNANSWERED_MS = 4_000;
const FIRST_ANSWER_MS = 2_000;
const RETRY_MS = 250;
const NAMES = Object.keys(CONFIGURATION_COLLECTIONS) as CollectionName[];

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

/** The map with the named documents as they are now: read again rather than taken from the event, so never older. */
async function refresh<T extends { _id: string }>(
  source: { store: Store; name: CollectionName; ids: ReadonlySet<string> },
  before: ReadonlyMap<string, T>,
): Promise<ReadonlyMap<string, T>> {
  const ids = [...source.ids];
  if (ids.length === 0) return before;
  const filter = { _id: { $in: ids } } as object;
  const found = await source.store.collection<T>(source.name).find(filter).toArray();
  const after = new Map(before);
  for (const id of ids) after.delete(id);
  for (const item of found) after.set(item._id, item as T);
  return after;
}

/** The documents that events name, or undefined where only reading everything again helps (a dropped collection). */
function changedIds(events: readonly ChangeStreamDocument[]): Record<CollectionName, Set<string>> | undefined {
  const ids = { accounts: new Set<string>(), domains: new Set<string>(), relays: new Set<string>() };
  for (const event of events) {
    if (!("documentKey" in event) || !("coll" in event.ns)) return undefined;
    ids[event.ns.coll as CollectionName].add(String(event.documentKey._id));
  }
  return ids;
}

class Watcher implements ConfigurationPort {
  readonly #store: Store;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #listeners = new Set<(configuration: Configuration) => void>();
  readonly #closing = new AbortController();
  #documents: Documents | undefined;
  #configuration: Configuration | undefined;
  #confirmedMs = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(store: Store, log: Log, clock: Clock) {
    this.#store = store;
    this.#log = log;
    this.#clock = clock;
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

  onChange(listener: (configuration: Configuration) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
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
    await this.#running;
  }

  async #run(onFirst: () => void): Promise<void> {
    while (!this.#closing.signal.aborted) {
      const stream = this.#open();
      try {
        await this.#follow(stream, onFirst);
      } catch (error) {
        if (!this.#closing.signal.aborted) this.#log.warn({ err: error }, "configuration.reread");
      }
      onFirst();
      await stream.close().catch((error: unknown) => this.#log.debug({ err: error }, "configuration.stream-close"));
      await this.#clock.sleep(RETRY_MS, this.#closing.signal).catch(() => undefined);
    }
  }

  #open(): ChangeStream {
    const pipeline = [
      { $match: { $or: [{ "ns.coll": { $in: NAMES } }, { operationType: { $in: ["dropDatabase", "invalidate"] } }] } },
    ];
    return this.#store.db.watch(pipeline, { maxAwaitTimeMS: HEARTBEAT_MS });
  }

  async #follow(stream: ChangeStream, onFirst: () => void): Promise<void> {
    const early = this.#next(stream);
    early.catch(() => undefined);
    await Promise.race([early, new Promise((resolve) => stream.once("resumeTokenChanged", resolve))]);
    this.#apply(await readEverything(this.#store));
    onFirst();
    let events = await early;
    while (!this.#closing.signal.aborted) {
      const ids = changedIds(events);
      if (ids === undefined) return;
      if (events.length > 0) await this.#refresh(ids);
      events = await this.#next(stream);
    }
  }

  /** What the stream has, or nothing after a heartbeat; rejects when it does not answer. */
  async #next(stream: ChangeStream): Promise<ChangeStreamDocument[]> {
    const answered = new AbortController();
    const signal = AbortSignal.any([answered.signal, this.#closing.signal]);
    const late = this.#clock.sleep(UNANSWERED_MS, signal).then(
      () => Promise.reject(new ConfigurationStale("the change stream does not answer")),
      () => Promise.reject(new ConfigurationStale("the change stream is closed")),
    );
    const first = stream.tryNext();
    first.catch(() => undefined);
    late.catch(() => undefined);
    try {
      const event = await Promise.race([first, late]);
      this.#confirmedMs = this.#clock.nowMs();
      return event === null ? [] : [event];
    } finally {
      answered.abort();
    }
  }

  async #refresh(ids: Record<CollectionName, Set<string>>): Promise<void> {
    const before = this.#documents;
    if (before === undefined) return;
    const store = this.#store;
    const [accounts, domains, relays] = await Promise.all([
      refresh({ store, name: "accounts", ids: ids.accounts }, before.accounts),
      refresh({ store, name: "domains", ids: ids.domains }, before.domains),
      refresh({ store, name: "relays", ids: ids.relays }, before.relays),
    ]);
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
export async function watchConfiguration(store: Store, log: Log, clock: Clock): Promise<ConfigurationPort> {
  const watcher = new Watcher(store, log, clock);
  await watcher.start();
  return watcher;
}
