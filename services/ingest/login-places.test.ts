import { expect, it } from "vitest";
import { createLoginPlaces } from "./login-places.ts";

const NEVER_BLOCKED = { blockedFor: () => undefined, left: () => ({ ofAccount: 10, ofAddress: 200 }) };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Work that ends when it is told to. */
function createWork() {
  const ends: (() => void)[] = [];
  const work = (): Promise<string> => new Promise((resolve) => ends.push(() => resolve("done")));
  return { work, ends };
}

it("begins no more at once than may still fail, and refuses the others once they have failed", async () => {
  const { work, ends } = createWork();
  let failed = 7;
  const places = createLoginPlaces({
    blockedFor: () => (failed >= 10 ? 60 : undefined),
    left: () => ({ ofAccount: 10 - failed, ofAddress: 200 }),
  });
  const login = { account: "acme", address: "192.0.2.1" };
  const guesses = Array.from({ length: 8 }, () =>
    places.within(login, async () => {
      await work();
      failed += 1;
      return false;
    }),
  );
  expect(ends).toHaveLength(3);
  for (const end of ends) end();
  expect(await Promise.all(guesses)).toEqual([
    ...Array<boolean>(3).fill(false),
    ...Array<undefined>(5).fill(undefined),
  ]);
  expect(ends).toHaveLength(3);
});

it("lets logins of an address wait for each other, ten at once, whatever their accounts", async () => {
  const { work, ends } = createWork();
  const places = createLoginPlaces(NEVER_BLOCKED);
  const logins = Array.from({ length: 300 }, (_, index) =>
    places.within({ account: `account-${index}`, address: "192.0.2.1" }, work),
  );
  for (let begun = 10; begun <= 300; begun += 10) {
    expect(ends).toHaveLength(begun);
    for (const end of ends.slice(-10)) end();
    await turn();
  }
  expect(new Set(await Promise.all(logins))).toEqual(new Set(["done"]));
});

it("holds up no other address, and lets 500 of one address and 1,000 in all wait", async () => {
  const { work, ends } = createWork();
  const places = createLoginPlaces(NEVER_BLOCKED);
  const logins = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((address) =>
    Array.from({ length: 600 }, () => places.within({ account: "acme", address }, work)),
  );
  expect(ends).toHaveLength(20);
  const isRefused = await Promise.all(
    logins.flat().map(async (login) => (await Promise.race([login, turn().then(() => "waits")])) === undefined),
  );
  expect(isRefused.filter(Boolean)).toHaveLength(800);
  for (let done = 0; done < ends.length;) {
    for (; done < ends.length; done += 1) ends[done]?.();
    await turn();
  }
  expect(ends).toHaveLength(1_000);
  expect(
    await Promise.race([places.within({ account: "acme", address: "192.0.2.3" }, async () => "done"), turn()]),
  ).toBe("done");
});

it("gives the place of work that fails to the next", async () => {
  const places = createLoginPlaces({ ...NEVER_BLOCKED, left: () => ({ ofAccount: 1, ofAddress: 200 }) });
  const login = { account: "acme", address: "192.0.2.1" };
  const [first, second] = await Promise.allSettled([
    places.within(login, () => Promise.reject(new Error("no"))),
    places.within(login, async () => "done"),
  ]);
  expect(first.status).toBe("rejected");
  expect(second).toMatchObject({ value: "done" });
});
