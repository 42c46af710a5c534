import { afterEach, expect, it, vi } from "vitest";
import type { Clock } from "#shared/clock.ts";
import { createAuthenticator } from "./authenticate.ts";
import { createFailedLogins } from "./failed-logins.ts";
import { createRate } from "./rate.ts";
import type { WaitingMails } from "./waiting-mails.ts";
import { createWaitingMails } from "./waiting-mails.ts";
import { fixedConfiguration } from "#test/support/fixed-configuration.ts";
import { createLog } from "#shared/log.ts";
import { createPasswordVerifier, hashPassword } from "#shared/passwords.ts";
import type { Account, Configuration } from "#shared/routing/configuration.ts";
import { configurationOf } from "#shared/store/configuration.ts";

afterEach(() => void vi.useRealTimers());

function clockAt(startMs: number): Clock & { move(ms: number): void } {
  let ms = startMs;
  return {
    nowMs: () => ms,
    now: () => new Date(ms),
    random: () => 0,
    uuid: () => "id",
    sleep: async () => undefined,
    move: (by) => {
      ms += by;
    },
  };
}

it("limits an account to 10 failures a minute from an address; other accounts and addresses go on", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const failures = createFailedLogins(clockAt(0));
  for (let count = 0; count < 10; count += 1) failures.count("acme", "127.0.0.1");
  vi.advanceTimersByTime(20_000);
  expect(failures.blockedFor("acme", "127.0.0.1")).toBe(40);
  expect(failures.blockedFor("acme", "127.0.0.2")).toBeUndefined();
  expect(failures.blockedFor("other", "127.0.0.1")).toBeUndefined();
  vi.advanceTimersByTime(40_000);
  expect(failures.blockedFor("acme", "127.0.0.1")).toBeUndefined();
});

it("lets no more than 10 failures through in any minute, wherever it begins", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const failures = createFailedLogins(clockAt(0));
  const guess = (): boolean => {
    if (failures.blockedFor("acme", "192.0.2.1") !== undefined) return false;
    failures.count("acme", "192.0.2.1");
    return true;
  };
  expect(guess()).toBe(true);
  vi.advanceTimersByTime(59_000);
  expect(Array.from({ length: 8 }, guess)).not.toContain(false);
  vi.advanceTimersByTime(2_000);
  expect([guess(), guess(), guess()]).toEqual([true, true, false]);
  expect(failures.blockedFor("acme", "192.0.2.1")).toBe(58);
});

it("lets an account in again after a minute though the clock was set back", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const clock = clockAt(100_000_000);
  const failures = createFailedLogins(clock);
  for (let count = 0; count < 10; count += 1) failures.count("acme", "127.0.0.1");
  clock.move(-7_200_000);
  expect(failures.blockedFor("acme", "127.0.0.1")).toBe(60);
  vi.advanceTimersByTime(60_000);
  expect(failures.blockedFor("acme", "127.0.0.1")).toBeUndefined();
});

it("limits an address to 200 failures of any accounts", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const failures = createFailedLogins(clockAt(0));
  for (let count = 0; count < 200; count += 1) {
    expect(failures.blockedFor("new", "127.0.0.1")).toBeUndefined();
    failures.count(`account-${count}`, "127.0.0.1");
  }
  expect(failures.blockedFor("new", "127.0.0.1")).toBe(60);
});

const acme: Account = { _id: "acme", customerNo: "1", sourceIps: [], limits: { waitingMails: 1 } };

function authenticatorOf(account: Account) {
  const configuration = { account: () => account, accounts: () => [account] } as Partial<Configuration>;
  return createAuthenticator({
    configuration: fixedConfiguration(configuration as Configuration),
    verifier: { verify: (_account, password, begin = (hash) => hash()) => begin(async () => password === "right") },
    failures: createFailedLogins(clockAt(0)),
  });
}

it("adds up the failures of one address, in whichever form a listener tells it", async () => {
  const authenticator = authenticatorOf(acme);
  const login = (address: string, password = "wrong") =>
    authenticator.byPassword({ account: "acme", password, address });
  for (let tries = 0; tries < 5; tries += 1) {
    expect(await login("::ffff:192.0.2.1")).toEqual({ kind: "wrong" });
    expect(await login("192.0.2.1")).toEqual({ kind: "wrong" });
  }
  expect(await login("192.0.2.1", "right")).toMatchObject({ kind: "limited" });
  expect(await login("::ffff:c000:201", "right")).toMatchObject({ kind: "limited" });
  expect(await login("::ffff:192.0.2.2", "right")).toMatchObject({ kind: "known" });
});

it.each(["192.0.2.0/24", "::ffff:192.0.2.0/120"])(
  "knows an address of %s in whichever form it is told",
  async (cidr) => {
    const authenticator = authenticatorOf({ ...acme, sourceIps: [cidr] });
    const login = (address: string) => authenticator.byPassword({ account: "acme", password: "right", address });
    expect(await login("192.0.2.7")).toMatchObject({ kind: "known" });
    expect(await login("::ffff:192.0.2.7")).toMatchObject({ kind: "known" });
    expect(await login("::ffff:192.0.3.7")).toMatchObject({ kind: "foreign-address" });
    expect(await login("2001:db8::7")).toMatchObject({ kind: "foreign-address" });
  },
);

it("answers no guess that was made beside the tenth failure", async () => {
  const authenticator = authenticatorOf(acme);
  const login = (password: string) => authenticator.byPassword({ account: "acme", password, address: "127.0.0.1" });
  const answers = await Promise.all([...Array.from({ length: 10 }, () => login("wrong")), login("right")]);
  expect(answers.at(-1)?.kind).toBe("limited");
});

it("hashes no more of ten thousand guesses made at once than of guesses made one by one", async () => {
  let hashed = 0;
  const hash = async (): Promise<boolean> => {
    hashed += 1;
    await new Promise((resolve) => setImmediate(resolve));
    return false;
  };
  const authenticator = createAuthenticator({
    configuration: fixedConfiguration(configurationOf({ accounts: [acme] })),
    verifier: { verify: (_account, _password, begin = (work) => work()) => begin(hash) },
    failures: createFailedLogins(clockAt(0)),
  });
  const answers = await Promise.all(
    Array.from({ length: 10_000 }, (_, index) =>
      authenticator.byPassword({ account: "acme", password: String(index), address: "192.0.2.1" }),
    ),
  );
  expect(hashed).toBe(10);
  expect(answers.filter(({ kind }) => kind === "wrong")).toHaveLength(10);
  expect(answers.filter(({ kind }) => kind === "limited")).toHaveLength(9_990);
});

it("lets in all who give the right password at once, also after nine wrong ones and while others are looked at", async () => {
  const account = { ...acme, passwordHash: await hashPassword("right") };
  const authenticator = createAuthenticator({
    configuration: fixedConfiguration(configurationOf({ accounts: [account] })),
    verifier: createPasswordVerifier(clockAt(0)),
    failures: createFailedLogins(clockAt(0)),
  });
  const login = (password: string) => authenticator.byPassword({ account: "acme", password, address: "192.0.2.1" });
  for (let tries = 0; tries < 9; tries += 1) expect(await login("wrong")).toEqual({ kind: "wrong" });
  const others = Array.from({ length: 10 }, (_, index) =>
    authenticator.byPassword({ account: `other-${index}`, password: "x", address: "192.0.2.1" }),
  );
  const answers = await Promise.all(Array.from({ length: 2_000 }, () => login("right")));
  await Promise.all(others);
  expect(new Set(answers.map(({ kind }) => kind))).toEqual(new Set(["known"]));
  expect(await login("wrong")).toEqual({ kind: "wrong" });
  expect(await login("right")).toMatchObject({ kind: "limited" });
});

it("remembers no name that no account has, however long it is", async () => {
  const names = new Set<string>();
  const failures = createFailedLogins(clockAt(0));
  const authenticator = createAuthenticator({
    configuration: fixedConfiguration(configurationOf({ accounts: [acme] })),
    verifier: { verify: async () => false },
    failures: { ...failures, count: (name, address) => (names.add(name), failures.count(name, address)) },
  });
  const login = (account: string) => authenticator.byPassword({ account, password: "x", address: "192.0.2.1" });
  for (let tries = 0; tries < 10; tries += 1) await login(`${"\u0001".repeat(12_000)}${tries}`);
  expect([...names]).toEqual([""]);
  expect(await login("Nobody")).toMatchObject({ kind: "limited" });
  expect(await login("acme")).toEqual({ kind: "wrong" });
});

it("knows an account, and a password, that control answered a moment ago, and counts no failure for it", async () => {
  const old: Account = {
    _id: "acme",
    customerNo: "1",
    sourceIps: [],
    limits: { waitingMails: 1 },
    passwordHash: "old",
  };
  const made: Account = { ...old, passwordHash: "new" };
  const knowing = (account: Account | undefined): Configuration =>
    configurationOf({ accounts: account === undefined ? [] : [account] });
  for (const before of [undefined, old]) {
    const authenticator = createAuthenticator({
      configuration: { current: () => knowing(before), confirmed: async () => knowing(made) },
      verifier: { verify: async (account, password) => account?.passwordHash === password },
      failures: createFailedLogins(clockAt(0)),
    });
    for (let login = 0; login < 20; login += 1) {
      const answer = await authenticator.byPassword({ account: "acme", password: "new", address: "127.0.0.1" });
      expect(answer.kind).toBe("known");
    }
  }
});

it("takes jobs from an address that control listed a moment ago", async () => {
  const listing = (sourceIps: string[]): Configuration => configurationOf({ accounts: [{ ...acme, sourceIps }] });
  for (const now of [[], ["192.0.2.0/24"], ["198.51.100.0/24"]]) {
    const authenticator = createAuthenticator({
      configuration: { current: () => listing(["10.0.0.0/8"]), confirmed: async () => listing(now) },
      verifier: { verify: async () => true },
      failures: createFailedLogins(clockAt(0)),
    });
    const answer = await authenticator.byPassword({ account: "acme", password: "right", address: "192.0.2.1" });
    expect(answer.kind).toBe(now[0] === "198.51.100.0/24" ? "foreign-address" : "known");
  }
});

it("gives a token for each second's share, and says how long the next takes", () => {
  const clock = clockAt(0);
  const rate = createRate(clock);
  expect([rate.take("a", 2), rate.take("a", 2), rate.take("a", 2)]).toEqual([0, 0, 500]);
  expect(rate.take("b", 2)).toBe(0);
  clock.move(500);
  expect([rate.take("a", 2), rate.take("a", 2)]).toEqual([0, 500]);
});

it("gives a token in ten seconds to an account that has a tenth of a job a second", () => {
  const clock = clockAt(0);
  const rate = createRate(clock);
  expect([rate.take("a", 0.1), rate.take("a", 0.1)]).toEqual([0, 10_000]);
  clock.move(10_000);
  expect(rate.take("a", 0.1)).toBe(0);
});

/** Nobody gets in where none may wait: he is told how many do. */
const countWaiting = (waiting: WaitingMails): Promise<number | undefined> => waiting.enter("acme", 1, 0);

it("adds to the recorded waiting mails what was accepted since", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const clock = clockAt(0);
  let recorded = 5;
  const waiting = createWaitingMails({ count: async () => recorded, clock, log: createLog("test", "silent") });
  expect(await countWaiting(waiting)).toBe(5);
  await waiting.enter("acme", 3, 8);
  waiting.leave("acme", 3, true);
  expect(await countWaiting(waiting)).toBe(8);
  recorded = 8;
  vi.advanceTimersByTime(2_000);
  await countWaiting(waiting);
  await Promise.resolve();
  expect(await countWaiting(waiting)).toBe(8);
});

it("lets in no more waiting mails than may wait, of jobs that come at once, and again what was not accepted", async () => {
  const waiting = createWaitingMails({ count: async () => 4, clock: clockAt(0), log: createLog("test", "silent") });
  const answers = await Promise.all(Array.from({ length: 5 }, () => waiting.enter("acme", 2, 8)));
  expect(answers).toEqual([undefined, undefined, 8, 8, 8]);
  waiting.leave("acme", 2, true);
  waiting.leave("acme", 2, false);
  expect(await countWaiting(waiting)).toBe(6);
});

it("counts waiting mails again though the clock was set back", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const clock = clockAt(100_000_000);
  let recorded = 5;
  const waiting = createWaitingMails({ count: async () => recorded, clock, log: createLog("test", "silent") });
  expect(await countWaiting(waiting)).toBe(5);
  recorded = 0;
  clock.move(-7_200_000);
  vi.advanceTimersByTime(2_000);
  await countWaiting(waiting);
  expect(await countWaiting(waiting)).toBe(0);
});

it("takes the last known number while the record is away", async () => {
  const log = createLog("test", "silent");
  const waiting = createWaitingMails({ count: () => Promise.reject(new Error("away")), clock: clockAt(0), log });
  expect(await countWaiting(waiting)).toBe(0);
});
