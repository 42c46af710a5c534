// The ledger: the first outcome of an attempt stays; a claim is one process's until its lease is over.
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { createLog } from "#shared/log.ts";
import type { Store } from "#shared/store/connection.ts";
import { connectStore } from "#shared/store/connection.ts";
import type { Ledger } from "#shared/store/ledger.ts";
import { createLedger } from "#shared/store/ledger.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import type { OwnPlace } from "#test/support/backing.ts";
import { ownPlace, testBacking } from "#test/support/backing.ts";
import type { Attempt } from "#shared/contracts/attempt.ts";
import { anAttempt } from "#test/support/build-mail.ts";

let place: OwnPlace;
let store: Store;
let ledger: Ledger;
const deadline = new Date(Date.now() + 3_600_000);

beforeAll(async () => {
  place = await ownPlace(testBacking());
  store = connectStore(place.mongodbUri, createLog("test", "silent"));
  ledger = createLedger(store, systemClock);
  await ledger.prepare();
});
afterAll(async () => {
  await store.db.dropDatabase();
  await store.close();
  await place.remove();
});

const newKey = () => ({ mailId: uniqueLabel("mail"), attempt: 1 });

it("gives a claim to one of many that ask at once, and renews it for that one", async () => {
  const key = newKey();
  const owners = Array.from({ length: 20 }, (_, index) => `owner${index}`);
  const answers = await Promise.all(owners.map((owner) => ledger.claim(key, owner, deadline)));
  expect(answers.filter((answer) => answer === "claimed")).toHaveLength(1);
  const winner = owners[answers.indexOf("claimed")] ?? "";
  expect(await ledger.claim(key, winner, deadline)).toBe("claimed");
});

it("lets a claim be taken over once its lease is over, and says so", async () => {
  const key = newKey();
  await ledger.claim(key, "dead", deadline);
  const claims = store.collection<{ _id: string; leaseUntil: Date }>("claims");
  await claims.updateOne({ _id: `${key.mailId}:1` }, { $set: { leaseUntil: new Date(0) } });
  expect(await ledger.claim(key, "heir", deadline)).toBe("taken-over");
  expect(await ledger.claimed(key.mailId)).toEqual([{ attempt: 1, isTakenOver: true }]);
  expect(await ledger.claim(key, "dead", deadline)).toBe("taken");
});

it("knows whether an attempt of a mail is under way, until the lease of its claim is over", async () => {
  const { mailId } = newKey();
  expect(await ledger.claimed(mailId)).toEqual([]);
  await ledger.claim({ mailId, attempt: 2 }, "alive", deadline);
  expect(await ledger.claimed(mailId)).toEqual([{ attempt: 2, isTakenOver: false }]);
  const claims = store.collection<{ _id: string; leaseUntil: Date }>("claims");
  await claims.updateOne({ _id: `${mailId}:2` }, { $set: { leaseUntil: new Date(0) } });
  expect(await ledger.claimed(mailId)).toEqual([]);
});

it("keeps the first outcome, whatever is written after it, and all of a mail in order", async () => {
  const { mailId } = newKey();
  const outcomes = [1, 2, 10].map((attempt) => ({ ...anAttempt(), attempt }));
  for (const outcome of outcomes.toReversed()) {
    await ledger.record({ mailId, attempt: outcome.attempt }, outcome, deadline);
  }
  await ledger.record({ mailId, attempt: 1 }, { ...anAttempt(), durationMs: 99_999 }, deadline);
  expect(await ledger.outcomesOf(mailId)).toEqual(outcomes);
  expect(await ledger.outcomeOf({ mailId, attempt: 1 })).toEqual(outcomes[0]);
  expect(await ledger.outcomeOf({ mailId, attempt: 3 })).toBeUndefined();
});

it.each([
  ["accepted", "deferred", "accepted"],
  ["bounced", "accepted", "bounced"],
  ["deferred", "bounced", "deferred"],
  ["deferred", "accepted", "accepted"],
] as const)("after %s a copy's %s is followed as %s", async (first, second, standing) => {
  const key = newKey();
  const outcome = (status: typeof first): Attempt => anAttempt({ result: { status } });
  expect(await ledger.record(key, outcome(first), deadline)).toEqual(outcome(first));
  expect(await ledger.record(key, outcome(second), deadline)).toEqual(outcome(standing));
  expect(await ledger.outcomeOf(key)).toEqual(outcome(standing));
});
