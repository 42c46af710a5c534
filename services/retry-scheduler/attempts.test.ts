import { pino } from "pino";
import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import type { Delivery } from "#shared/broker/actor.ts";
import type { Attempt } from "#shared/contracts/attempt.ts";
import type { MailMessage } from "#shared/contracts/mail.ts";
import { ladderOf } from "#shared/life/ladder.ts";
import type { ClaimedAttempt } from "#shared/store/ledger.ts";
import { aMail, anAttempt, DEADLINE } from "#test/support/build-mail.ts";
import { createAttemptsActor } from "./attempts.ts";

/** The exchange that a mail goes to which expired so long ago, by the claims that run and the outcomes that there are. */
async function exchangeAfter(
  pastMs: number,
  claimed: readonly ClaimedAttempt[] = [],
  outcomes: readonly Attempt[] = [],
): Promise<string | undefined> {
  const actor = createAttemptsActor({
    ladder: ladderOf([60_000]),
    ledger: { outcomesOf: async () => outcomes, claimed: async () => claimed },
    clock: { ...systemClock, nowMs: () => Date.parse(DEADLINE) + pastMs },
    log: pino({ level: "silent" }),
    metrics: { countFate: () => undefined, countSwept: () => undefined, countExpiredLate: () => undefined },
  });
  const properties = { deathReason: "expired" };
  const expired = { message: aMail(), content: Buffer.alloc(0), suspect: false, properties };
  const [verdict] = await actor.handleBatch([expired as unknown as Delivery<MailMessage>]);
  return verdict?.kind === "done" ? verdict.publish[0]?.exchange : undefined;
}

it("a mail is not told as bounced while a copy of it may be at its final dot", async () => {
  expect(await exchangeAfter(1_000)).toBe("waypost.wait.5s");
  expect(await exchangeAfter(20_000, [{ attempt: 1, isTakenOver: false }])).toBe("waypost.wait.5s");
  expect(await exchangeAfter(5_000)).toBe("waypost.events");
});

it("a mail whose last attempt is over ends at once, though its claim runs on", async () => {
  const outcome = anAttempt();
  expect(await exchangeAfter(5_000, [{ attempt: 1, isTakenOver: false }], [outcome])).toBe("waypost.events");
  expect(await exchangeAfter(5_000, [{ attempt: 1, isTakenOver: true }], [outcome])).toBe("waypost.wait.5s");
});
