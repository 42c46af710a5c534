import { context } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { pino } from "pino";
import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "#shared/clock.ts";
import type { Delivery } from "#shared/broker/actor.ts";
import type { Attempt } from "#shared/contracts/attempt.ts";
import type { MailMessage } from "#shared/contracts/mail.ts";
import { ladderOf } from "#shared/life/ladder.ts";
import type { Log } from "#shared/log.ts";
import type { ClaimedAttempt } from "#shared/store/ledger.ts";
import { traceparentOf } from "#shared/telemetry/propagate.ts";
import { aMail, anAttempt, DEADLINE } from "#test/support/build-mail.ts";
import { createAttemptsActor } from "./attempts.ts";

interface Known {
  claimed?: readonly ClaimedAttempt[];
  outcomes?: readonly Attempt[];
}

/** What becomes of a mail that expired so long ago, by the claims that run and the outcomes that there are. */
async function verdictAfter(pastMs: number, mail: MailMessage, { claimed = [], outcomes = [] }: Known, log: Log) {
  const actor = createAttemptsActor({
    ladder: ladderOf([60_000]),
    ledger: { outcomesOf: async () => outcomes, claimed: async () => claimed },
    clock: { ...systemClock, nowMs: () => Date.parse(DEADLINE) + pastMs },
    log,
    metrics: { countFate: () => undefined, countSwept: () => undefined, countExpiredLate: () => undefined },
  });
  const properties = { deathReason: "expired" };
  const expired = { message: mail, content: Buffer.alloc(0), suspect: false, properties };
  const [verdict] = await actor.handleBatch([expired as unknown as Delivery<MailMessage>]);
  return verdict;
}

/** The exchange that it goes to. */
async function exchangeAfter(
  pastMs: number,
  claimed: readonly ClaimedAttempt[] = [],
  outcomes: readonly Attempt[] = [],
): Promise<string | undefined> {
  const verdict = await verdictAfter(pastMs, aMail(), { claimed, outcomes }, pino({ level: "silent" }));
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

it("what was decided of a mail is logged with the ids of its own trace, not of the batch it came in", async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  onTestFinished(() => context.disable());
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const mail = aMail();
  const logged: unknown[] = [];
  const log = { info: (_facts: object, event: string) => logged.push([event, traceparentOf(context.active())]) };
  await verdictAfter(5_000, { ...mail, head: { ...mail.head, traceparent } }, {}, log as unknown as Log);
  expect(logged).toEqual([["retry.decided", traceparent]]);
});
