// The contract's *Push notification* and *Tracking points*, a test for each sentence, on a whole system.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pushNotificationSchema } from "#shared/contracts/push-notification.ts";
import { TRACKING_POINTS } from "#shared/contracts/tracking-point.ts";
import type { Endpoint, ReceivedNotification } from "#test/support/endpoint.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import { eventually } from "#test/support/eventually.ts";
import type { JobParts } from "#test/support/job.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";
import type { TestAccount } from "#test/support/system-client.ts";

let system: System;
let endpoint: Endpoint;
let relay: MailServer;
let account: TestAccount;

beforeAll(async () => {
  system = await startSystem({ env: { WAYPOST_RETRY_DEADLINE: "4s" } });
  endpoint = await startEndpoint();
  relay = await startMailServer();
  account = await system.account({ customerNo: "123456", tenant: "blue", notification: { url: endpoint.url } });
  await system.relay(account, relay);
});

afterAll(async () => {
  await Promise.all([endpoint.close(), relay.close()]);
  await system.stop();
});

const addressee = (): string => `${uniqueLabel("to")}@example.net`;

/** Submits a job and waits until the endpoint has been told of an end of each of its mails. */
async function toldOf(from: TestAccount, recipients: readonly string[], parts: JobParts = {}) {
  const jobId = await system.accept(from, jobOf(from, recipients, parts));
  const ofJob = (): ReceivedNotification[] => endpoint.notifications.filter(({ job }) => job.jobId === jobId);
  await eventually(
    () => ofJob().filter(({ meta }) => meta.event.state === "FINISHED").length >= recipients.length,
    20_000,
  );
  return { jobId, notifications: ofJob() };
}

const endOf = (notifications: readonly ReceivedNotification[]) =>
  notifications.find(({ meta }) => meta.event.state === "FINISHED");
const pointsOf = (notifications: readonly ReceivedNotification[]): string[] =>
  notifications.map(({ meta }) => `${meta.event.type}/${meta.event.subType}`);

describe("the body of a push notification", () => {
  it("is JSON of exactly the contract's fields", async () => {
    const { jobId } = await toldOf(account, [addressee()]);
    const posts = endpoint.requests.filter(({ body }) => body.meta.jobId === jobId);
    for (const { raw, headers } of posts) {
      expect(headers["content-type"]).toBe("application/json");
      const body: unknown = JSON.parse(raw.toString("utf8"));
      expect(pushNotificationSchema.parse(body)).toEqual(body);
    }
  });

  it("says in meta whose job it is", async () => {
    const job = { referenceJob: "ref-1", costCenter: "cc-1", campaignId: "camp-1" };
    const { jobId, notifications } = await toldOf(account, [addressee()], { job });
    expect(notifications[0]?.job).toEqual({
      account: account.name,
      customerNo: "123456",
      tenant: "blue",
      receivedTs: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
      jobId,
      version: "1",
      ...job,
    });
  });

  it("leaves out tenant, referenceJob, costCenter, campaignId and mimeFrom where there are none", async () => {
    const bare = await system.account({ notification: { url: endpoint.url } });
    await system.relay(bare, relay);
    const { notifications } = await toldOf(bare, [addressee()]);
    for (const { job, meta } of notifications) {
      expect(Object.keys(job).toSorted()).toEqual(["account", "customerNo", "jobId", "receivedTs", "version"]);
      expect(Object.keys(meta.mail).toSorted()).toEqual(["email", "from", "id"]);
    }
  });

  it("has a tag of 64 hex characters, unique per notification", async () => {
    const { notifications } = await toldOf(account, [addressee(), addressee()]);
    const tags = notifications.map(({ meta }) => meta.tag);
    expect(tags.every((tag) => /^[0-9a-f]{64}$/.test(tag))).toBe(true);
    expect(new Set(tags).size).toBe(6);
  });

  it("shows email and from as they were given, display name included, and mimeFrom where it was given", async () => {
    const to = `ToName <${addressee()}>`;
    const from = `FromName <${account.sender}>`;
    const mimeFrom = `Shown <shown@${account.domain}>`;
    const mail = { from: { email: from }, mimeFrom: { email: mimeFrom } };
    const { notifications } = await toldOf(account, [to], { mail });
    expect(notifications[0]?.meta.mail).toEqual({ id: expect.any(String) as string, email: to, from, mimeFrom });
  });

  it("gives time stamps as ISO 8601 with milliseconds", async () => {
    const { notifications } = await toldOf(account, [addressee()]);
    for (const { meta } of notifications)
      expect(meta.event.ts).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)$/);
  });

  it("tells of a relayed mail as the worked example does", async () => {
    const end = endOf((await toldOf(account, [addressee()])).notifications);
    expect(end?.meta.event).toMatchObject({
      type: "DELIVERED",
      phase: "DELIVER",
      state: "FINISHED",
      subType: "OK",
      description: "mail delivered",
    });
    expect(end?.content?.smtp).toMatchObject({
      responseCode: "250",
      reason: expect.stringMatching(/^sent \(250 .+\)$/) as string,
      relay: relay.host,
      dsn: expect.stringMatching(/^2\.\d{1,3}\.\d{1,3}$/) as string,
    });
  });

  it("tells the size as a string, and the message id", async () => {
    const end = endOf((await toldOf(account, [addressee()])).notifications);
    expect(end?.content?.mime?.size).toMatch(/^[1-9]\d*$/);
    expect(end?.content?.mime?.messageId).toEqual(expect.any(String));
  });

  it("tells what transport encryption was requested and established", async () => {
    const end = endOf((await toldOf(account, [addressee()])).notifications);
    expect(end?.content?.smtp?.transportEncryption).toMatchObject({
      requested: true,
      established: expect.any(Boolean) as boolean,
    });
  });
});

describe("the tracking points that are notified", () => {
  it("are STARTED, PROCESSED and DELIVERED of a mail that is accepted", async () => {
    const { notifications } = await toldOf(account, [addressee()]);
    expect(pointsOf(notifications)).toEqual([
      "STARTED/PROCESSING_STARTED",
      "PROCESSED/PROCESSING_FINISHED",
      "DELIVERED/OK",
    ]);
  });

  it("have the phase and state of the contract's table", async () => {
    const { notifications } = await toldOf(account, [addressee()]);
    for (const { meta } of notifications) {
      const { type, phase, state, subType } = meta.event;
      expect(Object.values(TRACKING_POINTS)).toContainEqual({ type, phase, state, subType });
    }
  });

  it("are DROPPED/FORBIDDEN_RECIPIENT for a local part that may not be mailed", async () => {
    expect(pointsOf((await toldOf(account, ["postmaster@example.net"])).notifications)).toEqual([
      "DROPPED/FORBIDDEN_RECIPIENT",
    ]);
  });

  it("are DEFERRED/SOFT_BOUNCE for each temporary failure and BOUNCED/SOFT_BOUNCE when the time has run out", async () => {
    const busy = await startMailServer({ script: { rcpt: () => ({ code: 451, text: "4.3.0 later" }) } });
    const patient = await system.account({ notification: { url: endpoint.url } });
    await system.relay(patient, busy);
    const points = pointsOf((await toldOf(patient, [addressee()])).notifications);
    await busy.close();
    expect(points).toContain("DEFERRED/SOFT_BOUNCE");
    expect(points.at(-1)).toBe("BOUNCED/SOFT_BOUNCE");
    expect(points.filter((point) => point === "BOUNCED/SOFT_BOUNCE")).toHaveLength(1);
  });

  it("are BOUNCED/HARD_BOUNCE for a permanent failure, then DROPPED/PREVIOUSLY_BOUNCED with the bounce in its description", async () => {
    const strict = await startMailServer({ script: { rcpt: () => ({ code: 550, text: "5.1.1 User unknown" }) } });
    const unlucky = await system.account({ notification: { url: endpoint.url } });
    await system.relay(unlucky, strict);
    const recipient = addressee();
    const bounced = endOf((await toldOf(unlucky, [recipient])).notifications);
    expect(bounced?.meta.event).toMatchObject({ type: "BOUNCED", subType: "HARD_BOUNCE" });
    await eventually(async () => {
      const { status } = await system.control.get(`/v1/accounts/${unlucky.name}/suppressions`);
      return status === 200;
    });
    const dropped = await eventually(async () => {
      const end = endOf((await toldOf(unlucky, [recipient])).notifications);
      return end?.meta.event.type === "DROPPED" ? end : undefined;
    });
    await strict.close();
    expect(dropped.meta.event.subType).toBe("PREVIOUSLY_BOUNCED");
    expect(dropped.meta.event.description).toMatch(/^ts="\d{4}-[^"]+", reason="\[5\.1\.1\] .*550.*"$/);
  });

  it("end each mail with exactly one of state FINISHED", async () => {
    const { notifications } = await toldOf(account, [addressee(), "abuse@example.net", addressee()]);
    const ends = new Map<string, number>();
    for (const { meta } of notifications) {
      if (meta.event.state === "FINISHED") ends.set(meta.mail.id, (ends.get(meta.mail.id) ?? 0) + 1);
    }
    expect([...ends.values()]).toEqual([1, 1, 1]);
  });
});
