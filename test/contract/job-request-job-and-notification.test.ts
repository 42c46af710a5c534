// Contract, JobRequest over REST: the fields that do not show in the mail, a test for each sentence.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jobOf } from "#test/support/job.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";
import type { TestAccount } from "#test/support/system-client.ts";

let system: System;
let account: TestAccount;

beforeAll(async () => {
  system = await startSystem({ services: ["ingest", "control"] });
  account = await system.account();
});
afterAll(() => system.stop());

const recipient = (): string => "to@recipient.example";

async function mistakesOf(parts: object): Promise<readonly (string | undefined)[]> {
  const answer = await system.submit(account, { ...jobOf(account, [recipient()]), ...parts });
  expect(answer.status).toBe(422);
  const errors = answer.body["errors"];
  return Array.isArray(errors) ? errors.map((error: { path?: string }) => error.path) : [];
}

describe("job", () => {
  it("has references of at most 50 characters each", async () => {
    const long = "x".repeat(51);
    expect(await mistakesOf({ job: { referenceJob: long, costCenter: long, campaignId: long } })).toEqual([
      "job.referenceJob",
      "job.costCenter",
      "job.campaignId",
    ]);
    await system.accept(account, { ...jobOf(account, [recipient()]), job: { referenceJob: "ü".repeat(50) } });
  });

  it("keeps and ignores options that it doesn't know", async () => {
    const job = { options: { messageSigning: false, future: { x: 1 } } };
    await system.accept(account, { ...jobOf(account, [recipient()]), job });
    expect(await mistakesOf({ job: { options: { messageSigning: "yes" } } })).toEqual(["job.options.messageSigning"]);
  });
});

describe("notification", () => {
  const url = "https://customer.example/hook";

  it.each([
    [{ url: "ftp://customer.example/" }, "notification.endPoint.url"],
    [{ url: `https://customer.example/${"x".repeat(1_000)}` }, "notification.endPoint.url"],
    [{ url: "https:/customer.example/" }, "notification.endPoint.url"],
    [{ url, headers: { "X-A": "日本" } }, "notification.endPoint.headers.X-A"],
    [{ url, headers: { "X-A": " " } }, "notification.endPoint.headers.X-A"],
    [{ url, headers: {} }, "notification.endPoint.headers"],
    [{ url, headers: { Baggage: "a=b" } }, "notification.endPoint.headers.Baggage"],
    [{ url, headers: { Host: "x" } }, "notification.endPoint.headers.Host"],
    [{ url, headers: { "X-A": "a\nb" } }, "notification.endPoint.headers.X-A"],
    [
      { url, authentication: { method: "DIGEST", user: "u", password: "p" } },
      "notification.endPoint.authentication.method",
    ],
    [{ url, authentication: { method: "BASIC", user: "u" } }, "notification.endPoint.authentication.password"],
    [{}, "notification.endPoint.url"],
  ])("refuses %j", async (endPoint, path) => expect(await mistakesOf({ notification: { endPoint } })).toEqual([path]));

  it("refuses Authorization beside authentication", async () => {
    const authentication = { method: "BASIC", user: "u", password: "p" };
    const endPoint = { url, headers: { AUTHORIZATION: "x" }, authentication };
    expect(await mistakesOf({ notification: { endPoint } })).toEqual(["notification.endPoint.headers.AUTHORIZATION"]);
  });
});
