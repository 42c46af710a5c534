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

const poolOf = (most: number) => new SessionPool<FakeSession>(() => most);

it("keeps a session for the next mail", async () => {
  const [pool, session] = [poolOf(1), new FakeSession()];
  pool.give("relay", session);
  await pool.untilGone("relay");
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
  const waiting = pool.untilGone("relay").then(() => (mayConnect = true));
  await pool.untilGone("another relay");
  await othersTurn();
  expect(mayConnect).toBe(false);
  session.hangUp();
  expect(await waiting).toBe(true);
});

it("ends what comes back when the relay may have fewer connections by now", () => {
  const pool = poolOf(1);
  const [first, second] = [new FakeSession(), new FakeSession()];
  pool.give("relay", first);
  pool.give("relay", second);
  expect([first.quit.mock.calls.length, second.quit.mock.calls.length, pool.size]).toEqual([0, 1, 1]);
});
