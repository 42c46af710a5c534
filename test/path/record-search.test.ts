// Every query of the contract on a record of 200,000 mails: served by an index, without scanning the collection.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLog } from "#shared/log.ts";
import type { Store } from "#shared/store/connection.ts";
import { connectStore } from "#shared/store/connection.ts";
import { eraseRecipient } from "#shared/store/mail-erasure.ts";
import type { MailReader } from "#shared/store/mail-reader.ts";
import { createMailReader } from "#shared/store/mail-reader.ts";
import { createMailWriter } from "#shared/store/mail-writer.ts";
import type { MailQuery } from "#shared/store/mail-search.ts";
import { mailFilter } from "#shared/store/mail-search.ts";
import { ensureMailIndexes, MAIL_ORDER, mailsOf } from "#shared/store/mails.ts";
import { findUntoldMails, untoldFilter } from "#shared/store/untold-mails.ts";
import type { OwnPlace } from "#test/support/backing.ts";
import { ownPlace, testBacking } from "#test/support/backing.ts";
import { fillRecord } from "#test/support/record.ts";

const MAILS = 200_000;
const NEWEST = new Date("2026-11-24T12:00:00.000Z");

interface Stage {
  stage: string;
  inputStage?: Stage;
  inputStages?: Stage[];
  [other: string]: unknown;
}

let place: OwnPlace;
let store: Store;
let reader: MailReader;

beforeAll(async () => {
  place = await ownPlace(testBacking());
  store = connectStore(place.mongodbUri, createLog("test", "silent"));
  await ensureMailIndexes(store);
  await fillRecord(store, { mails: MAILS, accounts: 10, newest: NEWEST });
  reader = createMailReader(store);
}, 240_000);

afterAll(async () => {
  await store.db.dropDatabase();
  await store.close();
  await place.remove();
});

function stagesOf(stage: Stage): string[] {
  const inner = [...(stage.inputStage === undefined ? [] : [stage.inputStage]), ...(stage.inputStages ?? [])];
  return [stage.stage, ...inner.flatMap(stagesOf)];
}

interface Explained {
  stages: string[];
  examined: number;
  returned: number;
}

async function explain(filter: object, sort: object, limit = 101): Promise<Explained> {
  const plan = (await mailsOf(store)
    .find(filter)
    .sort(sort as Record<string, 1 | -1>)
    .limit(limit)
    .explain("executionStats")) as {
    queryPlanner: { winningPlan: Stage & { queryPlan?: Stage } };
    executionStats: { totalDocsExamined: number; nReturned: number };
  };
  const { winningPlan } = plan.queryPlanner;
  return {
    stages: stagesOf(winningPlan.queryPlan ?? winningPlan),
    examined: plan.executionStats.totalDocsExamined,
    returned: plan.executionStats.nReturned,
  };
}

interface Asked {
  op: string;
  planSummary: string;
}

/** What the database was asked of the record meanwhile, as its profiler saw it. */
async function profiled(work: () => Promise<string>): Promise<{ id: string; asked: Asked[] }> {
  await store.db.command({ profile: 2 });
  try {
    const id = await work();
    await store.db.command({ profile: 0 });
    const ns = mailsOf(store).namespace;
    const asked = store.collection<Asked>("system.profile").find({ ns, planSummary: { $exists: true } });
    return { id, asked: await asked.project<Asked>({ op: 1, planSummary: 1, command: 1 }).toArray() };
  } finally {
    await store.db.command({ profile: 0 });
  }
}

describe("a search of 200,000 mails", () => {
  const since = new Date(NEWEST.getTime() - 60_000);
  const queries: [string, MailQuery][] = [
    ["everything", {}],
    ["account", { account: "acct-3" }],
    ["recipient", { recipient: "To-123@example.org" }],
    ["sender", { sender: "sender-7@example.com" }],
    ["state FINISHED", { state: "FINISHED" }],
    ["state INTERMEDIATE", { state: "INTERMEDIATE" }],
    ["state INITIAL", { state: "INITIAL" }],
    ["type BOUNCED", { state: "BOUNCED" }],
    ["type DROPPED", { state: "DROPPED" }],
    ["route of a relay", { route: "relay-3.example.net" }],
    ["default route", { route: "mx" }],
    ["queueId", { queueId: "Q1234" }],
    ["since and until", { since, until: NEWEST }],
    ["account and state", { account: "acct-8", state: "BOUNCED" }],
    ["account, sender, since", { account: "acct-4", sender: "sender-4@example.com", since }],
    ["account and recipient", { account: "acct-3", recipient: "to-123@example.org" }],
  ];

  it.each(queries)("by %s scans no collection, sorts nothing in memory", async (_, query) => {
    const { stages } = await explain(mailFilter(query), MAIL_ORDER);
    expect(stages).not.toContain("COLLSCAN");
    const isSortedByIndex = !stages.includes("SORT") || query.queueId !== undefined || query.recipient !== undefined;
    expect(isSortedByIndex).toBe(true);
  });

  it.each([
    ["account", { account: "acct-3" }],
    ["recipient", { recipient: "to-123@example.org" }],
    ["sender", { sender: "sender-7@example.com" }],
    ["queueId", { queueId: "Q1234" }],
    ["type BOUNCED", { state: "BOUNCED" }],
    ["route of a relay", { route: "relay-3.example.net" }],
  ] satisfies [string, MailQuery][])("by %s looks at no more mails than it answers", async (_, query) => {
    const { examined, returned } = await explain(mailFilter(query), MAIL_ORDER);
    expect(returned).toBeGreaterThan(0);
    expect(examined).toBe(returned);
  });

  it("continues after a cursor, newest first, without gap or repetition", async () => {
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await reader.search({ account: "acct-3", since, limit: 150, cursor });
      ids.push(...page.items.map(({ mailId }) => mailId));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(ids).toHaveLength(600);
    expect(new Set(ids).size).toBe(600);
    const { stages } = await explain(
      mailFilter({ account: "acct-3", cursor: (await reader.search({ account: "acct-3", limit: 10 })).cursor }),
      MAIL_ORDER,
    );
    expect(stages).not.toContain("COLLSCAN");
  });

  it("finds a job's mails, and one mail, by index", async () => {
    expect((await explain({ jobId: "job-77" }, { _id: 1 })).stages).not.toContain("COLLSCAN");
    const job = await reader.job("job-77");
    expect(job?.mails).toHaveLength(2);
    expect((await explain({ _id: job?.mails[0]?.mailId ?? "" }, {})).stages).not.toContain("COLLSCAN");
  });

  it("counts what waits, and finds what is overdue, by index", async () => {
    const lane = "delivery.relay.acct-7.example.com";
    for (const filter of [
      { account: "acct-7", open: true },
      { account: "acct-7", open: true, lane },
      { open: true, deadline: { $lt: NEWEST } },
    ]) {
      expect((await explain(filter, {})).stages).not.toContain("COLLSCAN");
    }
    expect(await reader.waiting("acct-7")).toBe(MAILS / 10);
    expect(await reader.waiting("acct-7", lane)).toBe(MAILS / 10);
    expect(await reader.waiting("acct-1")).toBe(0);
    expect(await reader.overdue(NEWEST, 10)).toEqual([]);
    const late = new Date(NEWEST.getTime() + 50 * 3_600_000);
    expect(await reader.overdue(late, 10)).toHaveLength(10);
    const { overdue, ...counts } = await reader.audit({ since: new Date(late.getTime() - 24 * 3_600_000), now: late });
    expect(counts).toEqual({ mails: 0, finished: 0, alive: 0, late: [] });
    expect(overdue).toHaveLength(1_000);
  });

  it("looks at no mail of a closed lane that was told of already", async () => {
    const lane = { account: "acct-7", name: "delivery.relay.acct-7.example.com" };
    const { examined } = await explain(untoldFilter(lane, new Date(NEWEST.getTime() + 1_000)), { receivedAt: 1 });
    expect(examined).toBe(0);
  });

  it("asks nothing of the record, reading or writing, that scans the collection", async () => {
    const { id, asked } = await profiled(async () => {
      const { items } = await reader.search({ account: "acct-7", limit: 1 });
      const mailId = items[0]?.mailId ?? "";
      const lane = "delivery.relay.acct-7.example.com";
      const now = new Date(NEWEST.getTime() + 50 * 3_600_000);
      for (const [, query] of queries) await reader.search({ ...query, limit: 5 });
      await reader.job(items[0]?.jobId ?? "");
      await reader.mail(mailId);
      await reader.hasEnded(mailId);
      await reader.waiting("acct-7", lane);
      await reader.awaitsNotification("acct-7");
      await reader.overdue(now, 10);
      await reader.audit({ since, now: NEWEST });
      await findUntoldMails(store, { account: "acct-7", name: lane }, { before: now, limit: 10 });
      const writer = createMailWriter(store);
      const record = (await writer.load([mailId])).get(mailId);
      if (record === undefined) throw new Error("no mail");
      await writer.append([record]);
      await writer.replace([{ ...record, version: record.version + 1 }]);
      const note = { at: now, url: "https://endpoint.example/", status: 200, id: "msg_1" };
      await writer.note([{ mailIds: [mailId], note, settled: [mailId] }]);
      await writer.settle([mailId]);
      await eraseRecipient(store, "to-4568@example.org");
      return mailId;
    });
    expect(id).not.toBe("");
    expect(asked.length).toBeGreaterThan(queries.length + 10);
    expect(asked.filter(({ planSummary }) => planSummary.includes("COLLSCAN"))).toEqual([]);
  });

  it("has the TTL index that retention rests on", async () => {
    const indexes = await mailsOf(store).indexes();
    expect(indexes).toContainEqual(expect.objectContaining({ key: { expiresAt: 1 }, expireAfterSeconds: 0 }));
  });

  it("erases one recipient: nothing of the address is left, counts and outcomes are as before", async () => {
    const before = await reader.search({ recipient: "to-4567@example.org" });
    const [account] = before.items.map((mail) => mail.account);
    const waiting = await reader.waiting(account ?? "");
    const total = await mailsOf(store).countDocuments({});
    expect(await eraseRecipient(store, "To-4567@Example.org")).toBe(before.items.length);
    expect((await reader.search({ recipient: "to-4567@example.org" })).items).toEqual([]);
    const erased = await Promise.all(before.items.map(({ mailId }) => reader.mail(mailId)));
    expect(JSON.stringify(erased)).not.toMatch(/to-4567/i);
    expect(erased.map((mail) => mail?.type)).toEqual(before.items.map(({ type }) => type));
    expect(erased.every((mail) => mail?.trackingPoints.length === 2)).toBe(true);
    expect(await reader.waiting(account ?? "")).toBe(waiting);
    expect(await mailsOf(store).countDocuments({})).toBe(total);
  });
});
