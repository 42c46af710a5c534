import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TrackedFact, TrackedMail } from "#shared/contracts/make-event.ts";
import { makeEvent } from "#shared/contracts/make-event.ts";
import type { MailRecord } from "#shared/store/mails.ts";
import type { RecordedEvent } from "./record.ts";
import { isLate, isOnRecord, mergeEvents } from "./record.ts";

const AT = new Date("2026-11-24T10:00:00.000Z");
const MAIL: TrackedMail = {
  head: {
    jobId: "job",
    account: "acme",
    customerNo: "4711",
    receivedTs: AT.toISOString(),
    deadline: "2026-11-26T10:00:00.000Z",
    envelopeFrom: "Sender@Example.com",
    sender: "Sender@Example.com",
    from: "S <Sender@Example.com>",
    endpoint: "sealed",
    bulk: false,
  },
  mailId: "a1",
  email: "To <To@Example.org>",
  recipient: "To@Example.org",
};
const TERMS = { retentionMs: 30 * 86_400_000, hasEndpoint: true };

const event = (point: TrackedFact["point"], seconds: number, fact: Partial<TrackedFact> = {}): RecordedEvent =>
  makeEvent(MAIL, { point, attempt: 0, at: new Date(AT.getTime() + seconds * 1_000), ...fact });
const attempt = (number: number, at: string): NonNullable<TrackedFact["record"]> => ({
  lane: "delivery.relay.acme.example.com",
  relay: "Relay.example.net",
  attempt: {
    attempt: number,
    at,
    durationMs: 1,
    lane: "delivery.relay.acme.example.com",
    result: { status: "deferred", origin: "remote", blame: "mail", enhancedStatus: "4.3.0", text: "451 later" },
  },
});

const STARTED = event("STARTED", 0, { record: { mails: 1 } });
const PROCESSED = event("PROCESSED", 1);
const DEFERRED = event("DEFERRED", 2, { attempt: 1, record: attempt(1, "2026-11-24T10:00:02.000Z") });
const DELIVERED = event("DELIVERED", 3, { attempt: 2, record: attempt(2, "2026-11-24T10:00:03.000Z") });
const BOUNCED = event("SOFT_BOUNCE", 4, { attempt: 2 });
const LIFE = [STARTED, PROCESSED, DEFERRED, DELIVERED];

function merge(existing: MailRecord | undefined, events: readonly RecordedEvent[]): MailRecord {
  const merged = mergeEvents(existing, events, TERMS);
  if (merged === undefined) throw new Error("nothing to merge");
  return merged;
}

describe("the record of a mail", () => {
  it("begins with what its first tracking point tells, addresses in lower case", () => {
    expect(merge(undefined, [STARTED])).toMatchObject({
      _id: "a1",
      recipient: "to@example.org",
      email: "To <To@Example.org>",
      sender: "sender@example.com",
      state: "INITIAL",
      open: true,
      mails: 1,
      awaitsNotification: true,
      version: 1,
    });
  });

  it("awaits a notification of its end, unless the endpoint was taken away meanwhile", () => {
    const begun = merge(undefined, [STARTED, PROCESSED]);
    expect(merge(begun, [DELIVERED]).awaitsNotification).toBe(true);
    expect(mergeEvents(begun, [DELIVERED], { ...TERMS, hasEndpoint: false })).not.toHaveProperty("awaitsNotification");
  });

  it("has its addresses in the spelling that searches and erasures ask for", () => {
    const recipient = "Box@Müller.example";
    const told = makeEvent({ ...MAIL, recipient, email: recipient }, { point: "STARTED", attempt: 0, at: AT });
    expect(merge(undefined, [told])).toMatchObject({ recipient: "box@xn--mller-kva.example", email: recipient });
  });

  it("is kept from its reception for the retention, and never goes before its deadline is a day over", () => {
    expect(merge(undefined, [STARTED]).expiresAt).toEqual(new Date("2026-12-24T10:00:00.000Z"));
    const short = mergeEvents(undefined, [STARTED], { ...TERMS, retentionMs: 1_000 });
    expect(short?.expiresAt).toEqual(new Date("2026-11-27T10:00:00.000Z"));
  });

  it("ends with the first FINISHED: no longer open, its sealed endpoint gone", () => {
    const ended = merge(undefined, LIFE);
    expect(ended).toMatchObject({ state: "FINISHED", type: "DELIVERED", relay: "relay.example.net", route: "relay" });
    expect(ended.open ?? ended.endpoint ?? ended.failed).toBeUndefined();
    expect(ended.attempts.map(({ attempt: number }) => number)).toEqual([1, 2]);
  });

  it("keeps another end as late, once, and does not move for it", () => {
    const ended = merge(undefined, LIFE);
    const late = merge(ended, [BOUNCED]);
    expect(late).toMatchObject({ type: "DELIVERED", late: [{ event: { type: "BOUNCED" } }], version: 2 });
    expect(isLate(late, BOUNCED)).toBe(true);
    expect(isLate(late, DELIVERED)).toBe(false);
    expect(mergeEvents(late, [BOUNCED], TERMS)).toBe(late);
  });

  it("tells a repetition of a point from another telling of it, which is not notified", () => {
    const ended = merge(undefined, LIFE);
    const again = event("DELIVERED", 60, { attempt: 2 });
    expect(mergeEvents(ended, [again], TERMS)).toBe(ended);
    expect([DELIVERED, again, BOUNCED].map((each) => isOnRecord(ended, each))).toEqual([true, false, false]);
  });

  it("has no DEFERRED after its end, of somebody who had not heard of that", () => {
    const ended = merge(undefined, LIFE);
    const waiting = event("DEFERRED", 5);
    expect(mergeEvents(ended, [waiting], TERMS)).toBe(ended);
    expect(isOnRecord(ended, waiting)).toBe(false);
    expect(merge(merge(undefined, [STARTED, DELIVERED]), [DEFERRED]).points).toHaveLength(3);
    // By a scheduler whose clock is ahead: it was attempted.
    const attempted = event("DEFERRED", 5, { attempt: 1, record: attempt(1, "2026-11-24T10:00:02.000Z") });
    expect(merge(merge(undefined, [STARTED, DELIVERED]), [attempted]).points).toHaveLength(3);
  });

  it("is the same object after a repetition", () => {
    const ended = merge(undefined, LIFE);
    expect(mergeEvents(ended, LIFE, TERMS)).toBe(ended);
  });

  it("comes to the same state in whatever order and groups the points come", () => {
    const expected = merge(undefined, LIFE);
    fc.assert(
      fc.property(fc.shuffledSubarray(LIFE, { minLength: 4 }), fc.integer({ min: 0, max: 4 }), (events, cut) => {
        const first = mergeEvents(undefined, events.slice(0, cut), TERMS);
        const record = merge(first, events.slice(cut));
        expect([record.state, record.type, record.open]).toEqual([expected.state, expected.type, undefined]);
        expect(new Set(record.points.map(({ tag }) => tag))).toEqual(new Set(expected.points.map(({ tag }) => tag)));
        expect(record.attempts).toHaveLength(2);
        expect(record.late).toBeUndefined();
      }),
    );
  });

  it("keeps no address of what comes after an erasure", () => {
    const erased: MailRecord = { ...merge(undefined, [STARTED]), email: "erased", recipient: "erased", erased: true };
    const smtp = { reason: "<to@example.org> unknown", dsn: "5.1.1" };
    const after = merge(erased, [event("HARD_BOUNCE", 5, { description: "to@example.org bounced", smtp })]);
    const late = merge(after, [event("SOFT_BOUNCE", 6, { smtp })]);
    expect(late.late).toHaveLength(1);
    expect(JSON.stringify(late)).not.toContain("to@example.org");
  });
});
