// The contract's *Tracking points*: each row of the table on real parts, and that every mail ends with exactly one FINISHED.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Notification } from "#shared/contracts/push-notification.ts";
import type { TrackingPointName } from "#shared/contracts/tracking-point.ts";
import { FOLLOWERS, TRACKING_POINTS } from "#shared/contracts/tracking-point.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";
import type { MailRecord, TestAccount } from "#test/support/system-client.ts";

let system: System;
let relay: MailServer;
let account: TestAccount;

beforeAll(async () => {
  system = await startSystem({ env: { WAYPOST_RETRY_DEADLINE: "5s" } });
  relay = await startMailServer({
    script: {
      rcpt: (address) => {
        if (address.startsWith("later")) return { code: 451, text: "4.3.0 not now" };
        return address.startsWith("gone") ? { code: 550, text: "5.1.1 no such user" } : undefined;
      },
    },
  });
  account = await system.account();
  await system.relay(account, relay);
});
afterAll(async () => {
  await relay.close();
  await system.stop();
});

async function pointsOf(recipient: string): Promise<Notification[]> {
  const jobId = await system.accept(account, jobOf(account, [recipient]));
  const [mail] = await system.mailsOf(jobId);
  return (await system.ended(mail?.mailId ?? "")).trackingPoints;
}

const eventsOf = (points: readonly Notification[]) => points.map(({ meta }) => meta.event);

function nameOf({ meta }: Notification): TrackingPointName {
  const { type, subType } = meta.event;
  const found = Object.entries(TRACKING_POINTS).find(([, point]) => point.type === type && point.subType === subType);
  return (found?.[0] ?? "") as TrackingPointName;
}

describe("before processing a recipient is dropped", () => {
  it.each([
    ["FORBIDDEN_RECIPIENT", () => "postmaster@example.net"],
    ["FORBIDDEN_RECIPIENT", () => "No-Reply@example.net"],
    ["INVALID_ADDRESS", () => "a..b@example.net"],
    ["INVALID_ADDRESS", () => "A <a@example.net>, B <b@example.net>"],
  ])("as %s", async (subType, recipient) => {
    expect(eventsOf(await pointsOf(recipient()))).toMatchObject([
      { phase: "PRE_PROCESS", state: "FINISHED", type: "DROPPED", subType },
    ]);
  });

  it("as SUPPRESSED when an operator listed it", async () => {
    const email = `${uniqueLabel("stop")}@example.net`;
    await system.control.put(`/v1/accounts/${account.name}/suppressions/${email}`, {});
    expect(eventsOf(await pointsOf(email))).toMatchObject([
      { phase: "PRE_PROCESS", state: "FINISHED", type: "DROPPED", subType: "SUPPRESSED" },
    ]);
  });

  it("as PREVIOUSLY_BOUNCED when a bounce listed it", async () => {
    const email = `${uniqueLabel("gone")}@example.net`;
    await pointsOf(email);
    const points = await eventually(async () => {
      const again = await pointsOf(email);
      return again.length === 1 ? again : undefined;
    });
    expect(eventsOf(points)).toMatchObject([
      { phase: "PRE_PROCESS", state: "FINISHED", type: "DROPPED", subType: "PREVIOUSLY_BOUNCED" },
    ]);
  });
});

describe("a mail that is processed", () => {
  it("is STARTED, PROCESSED and DELIVERED", async () => {
    expect(eventsOf(await pointsOf(`${uniqueLabel("to")}@example.net`))).toMatchObject([
      { phase: "PROCESS", state: "INITIAL", type: "STARTED", subType: "PROCESSING_STARTED" },
      { phase: "PROCESS", state: "INTERMEDIATE", type: "PROCESSED", subType: "PROCESSING_FINISHED" },
      { phase: "DELIVER", state: "FINISHED", type: "DELIVERED", subType: "OK" },
    ]);
  });

  it("ends as BOUNCED / HARD_BOUNCE after a permanent failure", async () => {
    expect(eventsOf(await pointsOf(`${uniqueLabel("gone")}@example.net`)).at(-1)).toMatchObject({
      phase: "DELIVER",
      state: "FINISHED",
      type: "BOUNCED",
      subType: "HARD_BOUNCE",
    });
  });

  it("is DEFERRED / SOFT_BOUNCE for each temporary failure and BOUNCED / SOFT_BOUNCE when its time runs out", async () => {
    const events = eventsOf(await pointsOf(`${uniqueLabel("later")}@example.net`));
    const deferred = events.filter(({ type }) => type === "DEFERRED");
    expect(deferred.length).toBeGreaterThan(1);
    expect(new Set(deferred.map(({ subType, state }) => `${state} ${subType}`))).toEqual(
      new Set(["INTERMEDIATE SOFT_BOUNCE"]),
    );
    expect(events.at(-1)).toMatchObject({ state: "FINISHED", type: "BOUNCED", subType: "SOFT_BOUNCE" });
  });
});

describe("every mail", () => {
  it("of a job ends with exactly one FINISHED, and goes by the table", async () => {
    const recipients = ["to", "gone", "later", "postmaster"].map((name) =>
      name === "postmaster" ? `${name}@example.net` : `${uniqueLabel(name)}@example.net`,
    );
    const jobId = await system.accept(account, jobOf(account, [...recipients, "a..b@example.net"]));
    const mails = await system.mailsOf(jobId, 5);
    const records = await Promise.all(mails.map(({ mailId }): Promise<MailRecord> => system.ended(mailId)));
    for (const { trackingPoints } of records) {
      expect(eventsOf(trackingPoints).filter(({ state }) => state === "FINISHED")).toHaveLength(1);
      const names = ["ACCEPTED" as const, ...trackingPoints.map((point) => nameOf(point))];
      for (const [index, next] of trackingPoints.entries()) {
        expect(FOLLOWERS[names[index] ?? "ACCEPTED"]).toContain(nameOf(next));
      }
    }
  });

  it("tells its address and its sender as they were given, and times with milliseconds and a zone", async () => {
    const recipient = `To Name <${uniqueLabel("to")}@example.net>`;
    const job = jobOf(account, [recipient], { mail: { from: { email: `From Name <${account.sender}>` } } });
    const [sent] = await system.mailsOf(await system.accept(account, job));
    const { trackingPoints } = await system.ended(sent?.mailId ?? "");
    for (const { meta } of trackingPoints) {
      expect(meta.mail).toMatchObject({ email: recipient, from: `From Name <${account.sender}>` });
      expect(meta.event.ts).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)$/);
      expect(meta.tag).toMatch(/^[0-9a-f]{64}$/);
    }
  });
});
