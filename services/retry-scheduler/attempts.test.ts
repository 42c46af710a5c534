import { pino } from "pino";
import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import type { Delivery } from "#shared/broker/actor.ts";
import type { MailMessage } from "#shared/contracts/mail.ts";
import { ladderOf } from "#shared/life/ladder.ts";
import { aMail, DEADLINE } from "#test/support/build-mail.ts";
import { createAttemptsActor } from "./attempts.ts";

/** The exchange that a mail goes to which expired so long ago. */
async function exchangeAfter(pastMs: number, isClaimed: boolean): Promise<string | undefined> {
  const actor = createAttemptsActor({
    ladder: ladderOf([60_000]),
    ledger: { outcomesOf: async () => [], isClaimed: async () => isClaimed },
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
  expect(await exchangeAfter(1_000, false)).toBe("waypost.wait.5s");
  expect(await exchangeAfter(20_000, true)).toBe("waypost.wait.5s");
  expect(await exchangeAfter(5_000, false)).toBe("waypost.events");
});
