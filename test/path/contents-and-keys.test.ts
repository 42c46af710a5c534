// What ingest owns in MongoDB: contents that are too large to travel, and idempotency keys with their leases.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLog } from "#shared/log.ts";
import type { Store } from "#shared/store/connection.ts";
import { connectStore } from "#shared/store/connection.ts";
import { createContents } from "#shared/store/contents.ts";
import type { KeyedSubmission } from "#shared/store/idempotency.ts";
import { createIdempotencyKeys, LEASE_MS } from "#shared/store/idempotency.ts";
import type { OwnPlace } from "#test/support/backing.ts";
import { ownPlace, testBacking } from "#test/support/backing.ts";

let place: OwnPlace;
let store: Store;
const deadline = new Date("2026-01-03T00:00:00Z");

beforeAll(async () => {
  place = await ownPlace(testBacking());
  store = connectStore(place.mongodbUri, createLog("test", "silent"));
});
afterAll(async () => {
  await store.db.dropDatabase();
  await store.close();
  await place.remove();
});

describe("contents", () => {
  it("travel in the messages up to 64 KiB over all mails", async () => {
    const contents = createContents(store);
    const small = Buffer.alloc(32 * 1024, 1);
    expect(await contents.put(small, 2, deadline)).toEqual({ kind: "inline", bytes: small.length });
    expect(await contents.put(small, 3, deadline)).toMatchObject({ kind: "stored" });
    expect(await contents.get({ kind: "inline", bytes: 3 }, Buffer.from("abc"))).toEqual(Buffer.from("abc"));
  });

  it("of 20 MB are read back as they were, by any process", async () => {
    const large = Buffer.alloc(20_000_000, "0123456789abcdef-");
    const ref = await createContents(store).put(large, 1, deadline);
    const reader = createContents(store);
    const read = await Promise.all([reader.get(ref), reader.get(ref)]);
    expect(read.every((content) => content.equals(large))).toBe(true);
    expect(read[0]).toBe(read[1]);
  });

  it("that are gone are missed, and not tried again", async () => {
    const gone = createContents(store).get({ kind: "stored", id: "gone", bytes: 1 });
    await expect(gone).rejects.toMatchObject({ code: "CONTENT_MISSING", retriable: false });
  });

  it("expire a day after the deadline, orphans as well", async () => {
    const contents = createContents(store);
    await contents.prepare();
    const ref = await contents.put(Buffer.alloc(100_000), 1, deadline);
    const id = ref.kind === "stored" ? ref.id : "";
    const chunk = await store.collection<{ _id: string }>("contents").findOne({ _id: `${id}/000` });
    expect(chunk).toMatchObject({ expiresAt: new Date("2026-01-04T00:00:00Z") });
    const indexes = await store.collection("contents").indexes();
    expect(indexes).toContainEqual(expect.objectContaining({ key: { expiresAt: 1 }, expireAfterSeconds: 0 }));
  });
});

describe("idempotency keys", () => {
  const start = new Date("2026-01-01T00:00:00Z");
  const later = (ms: number): Date => new Date(start.getTime() + ms);
  const submission = (key: string, more: Partial<KeyedSubmission> = {}): KeyedSubmission => ({
    account: "acme",
    key,
    bodyHash: "hash",
    jobId: "job-1",
    now: start,
    ...more,
  });

  it("are new once, in progress while the lease runs, and done after", async () => {
    const keys = createIdempotencyKeys(store);
    const first = submission("one");
    expect(await keys.begin(first)).toEqual({ kind: "new", jobId: "job-1" });
    const second = submission("one", { jobId: "job-2", now: later(LEASE_MS - 1) });
    expect(await keys.begin(second)).toMatchObject({ kind: "in-progress" });
    await keys.finish(first, "job-1");
    expect(await keys.begin(second)).toEqual({ kind: "done", jobId: "job-1" });
    expect(await keys.begin(submission("one", { bodyHash: "other" }))).toEqual({ kind: "other-body" });
  });

  it("past their lease are taken over by one, with the same job id", async () => {
    const keys = createIdempotencyKeys(store);
    await keys.begin(submission("two"));
    const others = Array.from({ length: 10 }, (_, index) =>
      keys.begin(submission("two", { jobId: `job-${index + 2}`, now: later(LEASE_MS) })),
    );
    const kinds = (await Promise.all(others)).map((beginning) => beginning.kind);
    expect(kinds.filter((kind) => kind === "taken-over")).toHaveLength(1);
    expect(kinds.filter((kind) => kind === "in-progress")).toHaveLength(9);
  });

  it("whose lease was written by a clock that was set back since are taken over", async () => {
    const keys = createIdempotencyKeys(store);
    await keys.begin(submission("set-back", { now: later(7_200_000) }));
    expect(await keys.begin(submission("set-back", { jobId: "job-2" }))).toMatchObject({
      kind: "taken-over",
      jobId: "job-1",
    });
  });

  it("that come together are new once each", async () => {
    const keys = createIdempotencyKeys(store);
    const names = Array.from({ length: 60 }, (_, index) => `together-${index % 20}`);
    const beginnings = await Promise.all(
      names.map((name, index) => keys.begin(submission(name, { jobId: `j${index}` }))),
    );
    expect(beginnings.filter(({ kind }) => kind === "new")).toHaveLength(20);
    expect(beginnings.filter(({ kind }) => kind === "in-progress")).toHaveLength(40);
  });

  it("are free after a release, and can be taken over once the lease was ended", async () => {
    const keys = createIdempotencyKeys(store);
    await keys.begin(submission("three"));
    await keys.release(submission("three"), "job-1");
    const next = submission("three", { jobId: "job-2" });
    expect(await keys.begin(next)).toEqual({ kind: "new", jobId: "job-2" });
    await keys.endLease(next, "job-2");
    expect(await keys.begin(submission("three", { jobId: "job-3", now: later(1_000) }))).toEqual({
      kind: "taken-over",
      jobId: "job-2",
      receivedAt: next.now,
    });
  });

  it("count for 48 hours", async () => {
    const keys = createIdempotencyKeys(store);
    await keys.prepare();
    await keys.begin(submission("four"));
    await keys.finish(submission("four"), "job-1");
    const after = submission("four", { jobId: "job-9", now: later(48 * 3_600_000) });
    expect(await keys.begin(after)).toEqual({ kind: "new", jobId: "job-9" });
  });
});
