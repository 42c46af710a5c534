import { pino } from "pino";
import { describe, expect, it } from "vitest";
import type { Outgoing } from "#shared/broker/actor.ts";
import type { Attempt } from "#shared/contracts/attempt.ts";
import { eventMessageSchema } from "#shared/contracts/event.ts";
import { trackedMailOf } from "#shared/contracts/outgoing.ts";
import { aMail, anAttempt, DEADLINE } from "#test/support/build-mail.ts";
import { decideOverdue, sweep } from "./deadline.ts";

const mail = aMail();
const overdue = { ...trackedMailOf(mail), attempts: 1, lane: mail.lane, relay: mail.relay };
const after = (ms: number): Date => new Date(Date.parse(DEADLINE) + ms);
const accepted = anAttempt({ result: { status: "accepted" } });

describe("a mail past its deadline without an end", () => {
  const facts = { outcomes: [], parkedFor: undefined, isQueued: false };

  it("has a minute to end by itself", () => {
    expect(decideOverdue(overdue, facts, after(59_999))).toEqual({ kind: "not-yet" });
  });

  it("ends as soft bounce with the last attempt's reason, and is a defect", () => {
    const outcomes = [anAttempt()];
    expect(decideOverdue(overdue, { ...facts, outcomes }, after(60_000))).toEqual({
      kind: "soft-bounce",
      attempt: outcomes[0],
      isDefect: true,
    });
  });

  it("is no defect while messages wait in its lane", () => {
    expect(decideOverdue(overdue, { ...facts, isQueued: true }, after(60_000))).toMatchObject({ isDefect: false });
  });

  it("is told as the ledger has it", () => {
    expect(decideOverdue(overdue, { ...facts, outcomes: [anAttempt(), accepted] }, after(60_000))).toEqual({
      kind: "tell-outcome",
      outcome: accepted,
      isDefect: true,
    });
  });

  it("that lies in the dead letters ends at its deadline as PROCESSING_FAILED", () => {
    expect(decideOverdue(overdue, { ...facts, parkedFor: "no schema" }, after(1))).toEqual({
      kind: "processing-failed",
      reason: "no service could handle it: no schema",
      isDefect: false,
    });
  });
});

function ground(state: { recordedUpTo: Date | undefined; now: Date; outcomes?: readonly Attempt[] }) {
  const published: Outgoing[] = [];
  const counted = { swept: 0, late: 0 };
  const ports = {
    broker: {
      publish: (messages: readonly Outgoing[]) => Promise.resolve(void published.push(...messages)),
      depth: () => Promise.resolve(0),
    },
    reader: { overdue: () => Promise.resolve([overdue]) },
    marks: { recordedUpTo: () => Promise.resolve(state.recordedUpTo) },
    ledger: { outcomesOf: () => Promise.resolve(state.outcomes ?? []) },
    parked: {
      reasonsOf: () => Promise.resolve(new Map<string, string>()),
      async *jobs() {},
      bodyOf: () => Promise.resolve(Buffer.alloc(0)),
    },
    waiting: { overdue: () => Promise.resolve([]), recordedMailsOf: () => Promise.resolve(new Set<string>()) },
    clock: {
      nowMs: () => state.now.getTime(),
      now: () => state.now,
      random: () => 0.5,
      uuid: () => "",
      sleep: () => Promise.resolve(),
    },
    log: pino({ level: "silent" }),
    metrics: {
      countFate: () => undefined,
      countSwept: () => void (counted.swept += 1),
      countExpiredLate: () => void (counted.late += 1),
    },
  };
  return { ports, published, counted };
}

describe("the sweep", () => {
  it.each([
    ["nobody records", undefined],
    ["the record is a minute behind", after(30_000)],
  ])("does not run when %s", async (_, recordedUpTo) => {
    const { ports, published } = ground({ recordedUpTo, now: after(90_000) });
    expect(await sweep(ports)).toBe(0);
    expect(published).toEqual([]);
  });

  it("ends the others where one cannot be published", async () => {
    const { ports, published } = ground({ recordedUpTo: after(89_000), now: after(90_000) });
    const found = ["bad", "good", "better"].map((mailId) => ({ ...overdue, mailId }));
    const publish = (messages: readonly Outgoing[]): Promise<void> => {
      if (JSON.stringify(messages).includes("bad")) return Promise.reject(new RangeError("too large"));
      return ports.broker.publish(messages);
    };
    const reader = { ...ports.reader, overdue: () => Promise.resolve(found) };
    expect(await sweep({ ...ports, reader, broker: { ...ports.broker, publish } })).toBe(2);
    expect(published).toHaveLength(2);
  });

  it("ends what it finds and counts it", async () => {
    const { ports, published, counted } = ground({ recordedUpTo: after(89_000), now: after(90_000) });
    expect(await sweep(ports)).toBe(1);
    expect(counted).toEqual({ swept: 1, late: 0 });
    const [end] = published;
    expect(eventMessageSchema.parse(end?.body).notification.meta.event.subType).toBe("SOFT_BOUNCE");
  });
});
