import { setImmediate as othersTurn } from "node:timers/promises";
import { expect, it, vi } from "vitest";
import type { PooledSession } from "./pool.ts";
import { SessionPool } from "./pool.ts";

/** A session whose server hangs up when the test says so. */
class FakeSession implements PooledSession {
  isUsable = true;
  transactions = 1;
  ageMs = 0;
  onClosed: (() => void) | undefined;
  hangUp = (): void => undefined;
  readonly gone = new Promise<void>((resolve) => (this.hangUp = resolve));
  readonly quit = vi.fn<() => void>();
}

/** With one attempt under way. */
const poolOf = (most: number) => new SessionPool<FakeSession>({ most: () => most, inUse: () => 1 });

it("keeps a session for the next mail", async () => {
  const [pool, session] = [poolOf(1), new FakeSession()];
  pool.give("relay", session);
  await pool.untilRoom("relay");
  expect(pool.take("relay")).toBe(session);
});

it.each([
  ["has had its hundred mails", { transactions: 100 }],
  ["is over", { isUsable: false }],
])("lets nobody connect beside a session that %s until its server has hung up", async (_, facts) => {
  const [pool, session] = [poolOf(1), Object.assign(new FakeSession(), facts)];
  pool.give("relay", session);
  expect(pool.take("relay")).toBeUndefined();
  let mayConnect = false;
  const waiting = pool.untilRoom("relay").then(() => (mayConnect = true));
  await pool.untilRoom("another relay");
  await othersTurn();
  expect(mayConnect).toBe(false);
  session.hangUp();
  expect(await waiting).toBe(true);
});

it("lets an attempt connect beside a session that its server has not hung up on, where there may be one more", async () => {
  const [pool, session] = [poolOf(2), Object.assign(new FakeSession(), { transactions: 100 })];
  pool.give("relay", session);
  expect(await Promise.race([pool.untilRoom("relay").then(() => "connects"), othersTurn("waits")])).toBe("connects");
  expect(session.quit).toHaveBeenCalledOnce();
});

it("ends what comes back when the relay may have fewer connections by now", () => {
  const pool = poolOf(1);
  const [first, second] = [new FakeSession(), new FakeSession()];
  pool.give("relay", first);
  pool.give("relay", second);
  expect([first.quit.mock.calls.length, second.quit.mock.calls.length, pool.size]).toEqual([0, 1, 1]);
});
