// Look-ups over WAYPOST_DNS_SERVERS, with WAYPOST_STATIC_HOSTS before them. Answers are values: a name that is not there is no error.
import { Resolver } from "node:dns/promises";
import { isIP } from "node:net";

/** Why there is no answer: the name does not exist, it has no such record, or nobody could be asked. */
export type LookupFailure = "nxdomain" | "nodata" | "unavailable";
export type Lookup<T> = { ok: true; records: readonly T[] } | { ok: false; failure: LookupFailure; text: string };

export interface MxRecord {
  exchange: string;
  priority: number;
}

export interface DnsResolver {
  /** IPv4 first; an address literal answers itself. */
  addresses(host: string): Promise<Lookup<string>>;
  mx(domain: string): Promise<Lookup<MxRecord>>;
  txt(name: string): Promise<Lookup<string[]>>;
  tlsa(name: string): Promise<Lookup<TlsaRecord>>;
}

export interface TlsaRecord {
  usage: number;
  selector: number;
  matchingType: number;
  cert: Buffer;
}

export interface ResolverSettings {
  WAYPOST_DNS_SERVERS: readonly string[] | undefined;
  WAYPOST_STATIC_HOSTS: readonly { name: string; address: string }[] | undefined;
}

const QUERY_TIMEOUT_MS = 4_000;
const QUERY_TRIES = 2;
const MISSING: Readonly<Record<string, LookupFailure>> = { ENOTFOUND: "nxdomain", ENODATA: "nodata" };

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "EFAIL";
}

/**
 * A channel waits no longer than its servers' answers used to take (five times that, 250 ms at least) and drops what it asked
 * before: one that was quick gives up a name that takes a second. And what is no DNS answer fails all that it has in hand.
 */
const WORTH_ASKING_ANEW: readonly string[] = ["ETIMEOUT", "EBADRESP"];

interface Channels {
  shared: Resolver;
  /** It has no past, and waits in full. */
  anew: () => Resolver;
}

type Query<T> = (dns: Resolver) => Promise<readonly T[]>;

async function query<T>({ shared, anew }: Channels, make: Query<T>): Promise<readonly T[]> {
  try {
    return await make(shared);
  } catch (error) {
    if (!WORTH_ASKING_ANEW.includes(codeOf(error))) throw error;
    return make(anew());
  }
}

async function ask<T>(channels: Channels, name: string, make: Query<T>): Promise<Lookup<T>> {
  try {
    const records = await query(channels, make);
    return records.length > 0 ? { ok: true, records } : { ok: false, failure: "nodata", text: `no record for ${name}` };
  } catch (error) {
    const code = codeOf(error);
    const failure = MISSING[code] ?? "unavailable";
    const said = failure === "nxdomain" ? "does not exist" : failure === "nodata" ? "has no such record" : "failed";
    return { ok: false, failure, text: `DNS look-up of ${name} ${said} (${code})` };
  }
}

/** One answer from those for A and AAAA: an outage of one does not hide what the other said. */
function mergeLookups(host: string, lookups: readonly Lookup<string>[]): Lookup<string> {
  const records = lookups.flatMap((lookup) => (lookup.ok ? lookup.records : []));
  if (records.length > 0) return { ok: true, records };
  const failures = lookups.flatMap((lookup) => (lookup.ok ? [] : [lookup]));
  const worst =
    failures.find((item) => item.failure === "unavailable") ??
    failures.find((item) => item.failure === "nodata") ??
    failures[0];
  return worst ?? { ok: false, failure: "nodata", text: `no address of ${host}` };
}

const normalizeName = (name: string): string => name.toLowerCase().replace(/\.$/, "");

const isLocalName = (name: string): boolean => name === "localhost" || name.endsWith(".localhost");

function tlsaOf(record: Awaited<ReturnType<Resolver["resolveTlsa"]>>[number]): TlsaRecord {
  const { certUsage: usage, selector, match: matchingType, data } = record;
  return { usage, selector, matchingType, cert: Buffer.from(data) };
}

/** Channels of its own: a dead DNS server never occupies the process's thread pool. */
function createChannels(servers: readonly string[] | undefined): Channels {
  const create = (tries: number): Resolver => {
    const dns = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries });
    if (servers !== undefined) dns.setServers([...servers]);
    return dns;
  };
  return { shared: create(QUERY_TRIES), anew: () => create(1) };
}

export function createResolver(settings: ResolverSettings): DnsResolver {
  const channels = createChannels(settings.WAYPOST_DNS_SERVERS);
  const statics = Map.groupBy(settings.WAYPOST_STATIC_HOSTS ?? [], (item) => normalizeName(item.name));
  return {
    addresses: async (host) => {
      const name = normalizeName(host);
      const known = statics.get(name);
      if (known !== undefined) return { ok: true, records: known.map((item) => item.address) };
      if (isIP(name) !== 0) return { ok: true, records: [name] };
      if (isLocalName(name)) return { ok: true, records: ["127.0.0.1", "::1"] };
      const lookups = [
        ask(channels, name, (dns) => dns.resolve4(name)),
        ask(channels, name, (dns) => dns.resolve6(name)),
      ];
      return mergeLookups(name, await Promise.all(lookups));
    },
    mx: async (domain) => {
      const name = normalizeName(domain);
      if (statics.has(name)) return { ok: false, failure: "nodata", text: `${name} is a static host` };
      return ask(channels, name, (dns) => dns.resolveMx(name));
    },
    txt: (name) => ask(channels, name, (dns) => dns.resolveTxt(name)),
    tlsa: (name) => ask(channels, name, async (dns) => (await dns.resolveTlsa(name)).map((record) => tlsaOf(record))),
  };
}
