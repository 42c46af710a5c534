// Account passwords: hashed slowly (argon2id with OWASP's parameters), checked against the hash once and then from a
// short-lived keyed cache. An unknown account, or one without a password, takes as long as a known one.
import { argon2, hash as hashOnce, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { LRUCache } from "lru-cache";
import type { Clock } from "#shared/clock.ts";

const derive = promisify(argon2);

const PARAMETERS = { parallelism: 1, tagLength: 32, memory: 19_456, passes: 2 } as const;
const NONCE_BYTES = 16;
const CACHE_MS = 60_000;
const CACHE_ENTRIES = 10_000;

async function digest(password: string, nonce: Buffer): Promise<Buffer> {
  return derive("argon2id", { message: password, nonce, ...PARAMETERS });
}

/** `argon2id.<nonce>.<hash>`, base64url. */
export async function hashPassword(password: string): Promise<string> {
  const nonce = randomBytes(NONCE_BYTES);
  return ["argon2id", nonce.toString("base64url"), (await digest(password, nonce)).toString("base64url")].join(".");
}

/** Whether `hash` is that of `password`. Slow by intent; services ask a verifier. */
export async function matchesHash(password: string, hash: string): Promise<boolean> {
  const [kind, nonce, expected] = hash.split(".");
  if (kind !== "argon2id" || nonce === undefined || expected === undefined) return false;
  const actual = await digest(password, Buffer.from(nonce, "base64url"));
  const wanted = Buffer.from(expected, "base64url");
  return actual.length === wanted.length && timingSafeEqual(actual, wanted);
}

type Known = { _id: string; passwordHash?: string } | undefined;

/** Says when a hash is made, or, by undefined, that none is. */
type Begin = (hash: () => Promise<boolean>) => Promise<boolean | undefined>;

export interface PasswordVerifier {
  /**
   * `account` is undefined where there is none of the given name; the answer is then false, after the same time. Undefined
   * where `begin` says so: it is asked only for what takes a new hash, not for what is known or being found out.
   */
  verify(account: Known, password: string, begin?: Begin): Promise<boolean | undefined>;
}

/** A verifier with its own cache of what was right within the last minute, kept under a key that never leaves the process. */
export function createPasswordVerifier(clock: Clock): PasswordVerifier {
  const cacheKey = randomBytes(32).toString("base64url");
  const right = new LRUCache<string, number>({ max: CACHE_ENTRIES });
  const running = new Map<string, Promise<boolean | undefined>>();
  /** Of no password at all. */
  const nobody = [
    "argon2id",
    ...[NONCE_BYTES, PARAMETERS.tagLength].map((size) => randomBytes(size).toString("base64url")),
  ].join(".");

  // With each request: hashed in one call, at a third of what an HMAC object costs; no digest ever leaves the process.
  const keyOf = (account: Known, password: string): string =>
    hashOnce("sha256", JSON.stringify([cacheKey, account?._id, account?.passwordHash, password]), "base64url");

  async function matches(account: Known, password: string): Promise<boolean> {
    const hash = account?.passwordHash;
    return (await matchesHash(password, hash ?? nobody)) && hash !== undefined;
  }

  return {
    verify: async (account, password, begin = (hash) => hash()) => {
      const key = keyOf(account, password);
      if ((right.get(key) ?? 0) > clock.nowMs()) return true;
      const started = running.get(key) ?? begin(() => matches(account, password)).finally(() => running.delete(key));
      running.set(key, started);
      const isRight = await started;
      if (isRight === true) right.set(key, clock.nowMs() + CACHE_MS);
      return isRight;
    },
  };
}
