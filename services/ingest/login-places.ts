// Which logins may have their password hashed, which is slow by intent: no more at once than may still fail, so that guesses
// made side by side are limited as if they came one after the other. The others wait, few enough to be worth waiting.
import type { FailedLogins } from "./failed-logins.ts";

/** Hashed at once for one address: others' logins wait behind no more of them. */
const MOST_HASHED_FOR_ADDRESS = 10;
/** Hashed and waiting, for one address and in all. */
const MOST_FOR_ADDRESS = 500;
const MOST_IN_ALL = 1_000;

export interface LoginPlaces {
  /** What `work` says, begun at once where there is a place for it; undefined where it is not to be begun. */
  within<T>(login: { account: string; address: string }, work: () => Promise<T>): Promise<T | undefined>;
}

interface AtAddress {
  /** How many are hashed, by account. */
  hashed: Map<string, number>;
  hashedInAll: number;
  logins: number;
  waiting: (() => void)[];
}

type Failures = Pick<FailedLogins, "blockedFor" | "left">;

export function createLoginPlaces(failures: Failures): LoginPlaces {
  const addresses = new Map<string, AtAddress>();
  let logins = 0;
  const atAddress = (address: string): AtAddress => {
    const known = addresses.get(address) ?? { hashed: new Map(), hashedInAll: 0, logins: 0, waiting: [] };
    addresses.set(address, known);
    return known;
  };
  return {
    within: async (login, work) => {
      if (logins >= MOST_IN_ALL) return undefined;
      const at = atAddress(login.address);
      if (at.logins >= MOST_FOR_ADDRESS) return undefined;
      at.logins += 1;
      logins += 1;
      try {
        while (!hasPlace(at, login, failures)) {
          if (failures.blockedFor(login.account, login.address) !== undefined) return undefined;
          await new Promise<void>((resolve) => at.waiting.push(resolve));
        }
        return await hashing(at, login.account, work);
      } finally {
        at.logins -= 1;
        logins -= 1;
        if (at.logins === 0) addresses.delete(login.address);
      }
    },
  };
}

function hasPlace(at: AtAddress, login: { account: string; address: string }, failures: Failures): boolean {
  const left = failures.left(login.account, login.address);
  const isFree = at.hashedInAll < Math.min(left.ofAddress, MOST_HASHED_FOR_ADDRESS);
  return isFree && (at.hashed.get(login.account) ?? 0) < left.ofAccount;
}

async function hashing<T>(at: AtAddress, account: string, work: () => Promise<T>): Promise<T> {
  const add = (count: number): void => {
    at.hashedInAll += count;
    const ofAccount = (at.hashed.get(account) ?? 0) + count;
    if (ofAccount === 0) at.hashed.delete(account);
    else at.hashed.set(account, ofAccount);
  };
  add(1);
  try {
    return await work();
  } finally {
    add(-1);
    for (const look of at.waiting.splice(0)) look();
  }
}
