// What a job says of itself travels with each of its tracking points, however long it is: its mails go out and end.
import { afterAll, beforeAll, expect, it } from "vitest";
import { uniqueLabel } from "#test/support/addresses.ts";
import type { CommonSystem } from "#test/support/common-system.ts";
import { commonSystem } from "#test/support/common-system.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { TestAccount } from "#test/support/system-client.ts";

let system: CommonSystem;
let relay: MailServer;
let account: TestAccount;

beforeAll(async () => {
  system = await commonSystem();
  relay = await startMailServer();
  account = await system.account();
  await system.relay(account, relay);
});
afterAll(() => relay.close());

/** 16,384 characters that take four bytes each, in words that fit into a line. */
const LONG = `${"😀".repeat(511)} `.repeat(32).replace(/ $/, "😀");
const HEADERS = { "X-A": "ä".repeat(16_384), "X-B": "ä".repeat(16_384), "X-C": "ä".repeat(16_384) };

it.each([
  ["an endpoint's headers", {}, { notification: { endPoint: { url: "http://127.0.0.1:9/hook", headers: HEADERS } } }],
  ["a reference", { reference: LONG }, {}],
])("mails end whose job has %s as long as may be", async (_, ofEntry, ofJob) => {
  const to = [uniqueLabel("a"), uniqueLabel("b")].map((name) => ({ email: `${name}@recipient.example` }));
  const job = jobOf(account, [], { recipients: [{ mail: { to }, ...ofEntry }], ...ofJob });
  const jobId = await system.accept(account, job);
  for (const { mailId } of await system.mailsOf(jobId, 2)) {
    expect((await system.ended(mailId)).trackingPoints.at(-1)?.meta.event.type).toBe("DELIVERED");
  }
});

it("a recipient that is a very long text and no address ends alone", async () => {
  const good = `${uniqueLabel("to")}@recipient.example`;
  const jobId = await system.accept(account, jobOf(account, [LONG, good]));
  const mails = await system.mailsOf(jobId, 2);
  const typeOf = async (email: string): Promise<string | undefined> => {
    const mailId = mails.find((mail) => mail.email === email)?.mailId ?? "";
    return (await system.ended(mailId)).trackingPoints.at(-1)?.meta.event.type;
  };
  expect(await typeOf(good)).toBe("DELIVERED");
  expect(await typeOf(LONG)).toBe("DROPPED");
});
