// MTA-STS (RFC 8461): whether a recipient domain demands verified TLS, and of which hosts. Policies are cached.
import { LRUCache } from "lru-cache";
import type { MTASTSPolicy } from "mailauth";
import type { Clock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import type { NetworkPolicy } from "#shared/network/policy.ts";
import type { Lookup } from "#shared/network/resolver.ts";

export interface MtaSts {
  /** How a host of the domain may be spoken to: undefined where no policy is in force. */
  demandOn(domain: string): Promise<((host: string) => "verified" | "refused") | undefined>;
}

const MOST_POLICIES = 5_000;
/** How long an answer, also that there is none, is believed before the domain is asked again. */
const BELIEVED_MS = 300_000;
const FETCH_MS = 10_000;
/** With the default route's first domain: relays alone need none of it. */
const load = () => import("mailauth/lib/mta-sts.js");

function recordsOf<T>(lookup: Lookup<T>): readonly T[] {
  if (lookup.ok) return lookup.records;
  const codes = { nxdomain: "ENOTFOUND", nodata: "ENODATA", unavailable: "ESERVFAIL" } as const;
  throw Object.assign(new Error(lookup.text), { code: codes[lookup.failure] });
}

/** The look-ups that mailauth makes; its HTTPS request goes to allowed networks only. */
function resolverOver(network: NetworkPolicy) {
  return async (name: string, type: string): Promise<string[][] | string[]> => {
    if (type === "TXT") return [...recordsOf(await network.dns.txt(name))];
    const wanted = type === "AAAA" ? 6 : 4;
    const resolution = await network.resolve(name);
    if (!resolution.ok) return [];
    return resolution.addresses.filter(({ family }) => family === wanted).map(({ address }) => address);
  };
}

interface Answer {
  policy: Promise<MTASTSPolicy | undefined>;
  believedUntilMs: number;
}

/** `clock` says how long an answer is believed: a steady one, which is not set. */
export function createMtaSts(network: NetworkPolicy, log: Log, clock: Clock): MtaSts {
  const answers = new LRUCache<string, Answer>({ max: MOST_POLICIES });
  const resolver = resolverOver(network);
  const fetch = async (domain: string, last: MTASTSPolicy | undefined): Promise<MTASTSPolicy | undefined> => {
    try {
      const { getPolicy } = await load();
      const { policy, status } = await getPolicy(domain, last ?? null, { resolver, timeout: FETCH_MS });
      if (status === "errored") log.warn({ domain }, "mta-sts.fetch_failed");
      return policy;
    } catch (error) {
      log.warn({ domain, err: error }, "mta-sts.fetch_failed");
      return last;
    }
  };
  /** Believed from when it was asked for: mails that come meanwhile make no answer younger. */
  const policyOf = (domain: string): Promise<MTASTSPolicy | undefined> => {
    const known = answers.get(domain);
    if (known !== undefined && clock.nowMs() < known.believedUntilMs) return known.policy;
    const policy = Promise.resolve(known?.policy).then((last) => fetch(domain, last));
    answers.set(domain, { policy, believedUntilMs: clock.nowMs() + BELIEVED_MS });
    return policy;
  };
  return {
    demandOn: async (domain) => {
      const policy = await policyOf(domain);
      if (policy?.mode !== "enforce") return undefined;
      const { validateMx } = await load();
      return (host) => (validateMx(host, policy).valid ? "verified" : "refused");
    },
  };
}
