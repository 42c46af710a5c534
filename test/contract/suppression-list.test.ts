// The contract's *Suppression list*, a test for each sentence.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { uniqueLabel } from "#test/support/addresses.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailServer, Reply } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";
import type { TestAccount } from "#test/support/system-client.ts";

interface Entry {
  email: string;
  until?: string;
  listedAt: string;
}

const DAY_MS = 86_400_000;
const ANSWERS: Readonly<Record<string, Reply>> = {
  unknown: { code: 550, text: "5.1.1 no such user" },
  refused: { code: 550, text: "5.2.0 mailbox unavailable" },
  full: { code: 552, text: "5.2.2 mailbox full" },
  policy: { code: 550, text: "5.7.1 not by us" },
};

let system: System;
let mx: MailServer;
let recipientDomain: string;

const answerTo = (address: string): Reply | undefined => ANSWERS[address.split("-")[0] ?? ""];
beforeAll(async () => {
  system = await startSystem();
  mx = await startMailServer({ port: system.mxPort, script: { rcpt: answerTo } });
  recipientDomain = `${uniqueLabel("rcpt")}.example`;
  system.dns.set(recipientDomain, { mx: [{ preference: 10, exchange: mx.host }] });
});
afterAll(async () => {
  await mx.close();
  await system.stop();
});

const newRecipient = (kind: string): string => `${uniqueLabel(kind)}@${recipientDomain}`;

async function eventsOf(account: TestAccount, recipient: string) {
  const [mail] = await system.mailsOf(await system.accept(account, jobOf(account, [recipient])));
  const { trackingPoints } = await system.ended(mail?.mailId ?? "");
  return trackingPoints.map(({ meta }) => meta.event);
}

async function listOf(account: TestAccount): Promise<readonly Entry[]> {
  const { body } = await system.control.get<{ items: Entry[] }>(`/v1/accounts/${account.name}/suppressions`);
  return body.items;
}

const listed = (account: TestAccount, recipient: string): Promise<Entry> =>
  eventually(async () => (await listOf(account)).find(({ email }) => email === recipient.toLowerCase()));

describe("a hard bounce puts the recipient on the account's list", () => {
  it.each([
    ["45 days for an unknown mailbox", "unknown", 45],
    ["7 days for another permanent refusal", "refused", 7],
    ["1 day for a mailbox that is full", "full", 1],
  ])("%s", async (_, kind, days) => {
    const account = await system.account();
    const recipient = newRecipient(kind);
    const events = await eventsOf(account, recipient);
    expect(events.at(-1)).toMatchObject({ type: "BOUNCED", subType: "HARD_BOUNCE" });
    const entry = await listed(account, recipient);
    expect(Date.parse(entry.until ?? "")).toBe(Date.parse(events.at(-1)?.ts ?? "") + days * DAY_MS);
  });

  it("and on no other account's", async () => {
    const [account, other] = [await system.account(), await system.account()];
    const recipient = newRecipient("unknown");
    await eventsOf(account, recipient);
    await listed(account, recipient);
    expect((await eventsOf(other, recipient)).at(-1)).toMatchObject({ type: "BOUNCED" });
  });
});

describe("sending to a listed recipient", () => {
  it("is dropped as PREVIOUSLY_BOUNCED, telling the bounce, and renews the entry", async () => {
    const account = await system.account();
    const recipient = newRecipient("refused");
    const [bounce] = (await eventsOf(account, recipient)).slice(-1);
    const before = await listed(account, recipient);
    const events = await eventsOf(account, recipient.toUpperCase());
    const reason = `[5.2.0] bounced (host ${mx.host}[${mx.address}] said: 550 5.2.0 mailbox unavailable)`;
    expect(events).toMatchObject([
      { type: "DROPPED", subType: "PREVIOUSLY_BOUNCED", description: `ts="${bounce?.ts}", reason="${reason}"` },
    ]);
    const after = await listed(account, recipient);
    expect(Date.parse(after.until ?? "")).toBeGreaterThan(Date.parse(before.until ?? ""));
    expect(after.listedAt).toBe(before.listedAt);
  });

  it("is dropped as SUPPRESSED once an operator listed it too, since the bounce", async () => {
    const account = await system.account();
    const recipient = newRecipient("unknown");
    await eventsOf(account, recipient);
    const before = await listed(account, recipient);
    await system.control.put(`/v1/accounts/${account.name}/suppressions/${recipient}`, { reason: "gone" });
    expect(await listed(account, recipient)).toEqual({
      email: recipient,
      kind: "manual",
      listedAt: before.listedAt,
      reason: "gone",
    });
    expect(await eventsOf(account, recipient)).toMatchObject([{ type: "DROPPED", subType: "SUPPRESSED" }]);
  });

  it("is dropped once it was put on the list, also by a PUT without a body", async () => {
    const account = await system.account();
    const recipient = newRecipient("to");
    const put = await system.control.put(`/v1/accounts/${account.name}/suppressions/${recipient}`, undefined);
    expect(put).toMatchObject({ status: 200, body: { email: recipient, kind: "manual" } });
    expect(await eventsOf(account, recipient)).toMatchObject([{ type: "DROPPED", subType: "SUPPRESSED" }]);
  });

  it("is dropped with needless quotes, too", async () => {
    const account = await system.account();
    const recipient = newRecipient("unknown");
    await eventsOf(account, recipient);
    await listed(account, recipient);
    const quoted = `"${recipient.replace("@", '"@')}`;
    expect(await eventsOf(account, quoted)).toMatchObject([{ type: "DROPPED", subType: "PREVIOUSLY_BOUNCED" }]);
  });

  it("drops that recipient of a job only", async () => {
    const account = await system.account();
    const [gone, good] = [newRecipient("unknown"), newRecipient("to")];
    await eventsOf(account, gone);
    await listed(account, gone);
    const jobId = await system.accept(account, jobOf(account, [gone, good]));
    const mails = await system.mailsOf(jobId, 2);
    const ends = await Promise.all(mails.map(({ mailId }) => system.ended(mailId)));
    expect(new Set(ends.map(({ trackingPoints }) => trackingPoints.at(-1)?.meta.event.type))).toEqual(
      new Set(["DELIVERED", "DROPPED"]),
    );
  });

  it("is sent again when an operator has taken it off", async () => {
    const account = await system.account();
    const recipient = newRecipient("unknown");
    await eventsOf(account, recipient);
    await listed(account, recipient);
    const path = `/v1/accounts/${account.name}/suppressions/${recipient}`;
    expect((await system.control.delete(path)).status).toBeLessThan(300);
    mx.script = {};
    expect((await eventsOf(account, recipient)).at(-1)).toMatchObject({ type: "DELIVERED" });
    mx.script = { rcpt: answerTo };
  });
});

describe("a bounce from a relay", () => {
  it.each([
    ["5.1.1", true],
    ["5.1.2", true],
    ["5.1.3", true],
    ["5.1.6", true],
    ["5.1.10", true],
    ["5.1.0", false],
    ["5.2.2", false],
    ["5.7.1", false],
  ])("with %s in reply to RCPT suppresses: %s", async (status, suppresses) => {
    const account = await system.account();
    const relay = await startMailServer({ script: { rcpt: () => ({ code: 550, text: `${status} no` }) } });
    await system.relay(account, relay);
    const recipient = newRecipient("to");
    const witness = newRecipient("witness");
    await eventsOf(account, recipient);
    // What is listed comes in the order of the bounces: the witness after it.
    relay.script = { rcpt: () => ({ code: 550, text: "5.1.1 no" }) };
    await eventsOf(account, witness);
    await listed(account, witness);
    expect((await listOf(account)).some(({ email }) => email === recipient)).toBe(suppresses);
    await relay.close();
  });

  it("in reply to MAIL or the final dot suppresses nobody", async () => {
    const account = await system.account();
    const reply: Reply = { code: 550, text: "5.1.1 no" };
    const relay = await startMailServer({ script: { mail: () => reply } });
    await system.relay(account, relay);
    await eventsOf(account, newRecipient("to"));
    relay.script = { dot: () => reply };
    await eventsOf(account, newRecipient("to"));
    relay.script = { rcpt: () => reply };
    const witness = newRecipient("witness");
    await eventsOf(account, witness);
    await listed(account, witness);
    expect(await listOf(account)).toHaveLength(1);
    await relay.close();
  });
});
