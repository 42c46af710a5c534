// Mails of a sender domain with a key are signed with DKIM on the default route, and relayed where the domain says so.
import { dkimVerify } from "mailauth/lib/dkim/verify.js";
import { afterAll, beforeAll, expect, it } from "vitest";
import { uniqueLabel } from "#test/support/addresses.ts";
import type { DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { TestAccount } from "#test/support/system-client.ts";

let system: DeliverySystem;
let mx: MailServer;
let relay: MailServer;
const recipient = `to@${uniqueLabel("rcpt")}.example`;

beforeAll(async () => {
  system = await startDeliverySystem();
  mx = await startMailServer({ port: system.mxPort });
  relay = await startMailServer();
  system.dns.set(recipient.split("@")[1] ?? "", { mx: [{ preference: 10, exchange: mx.host }] });
});
afterAll(async () => {
  await Promise.all([mx.close(), relay.close()]);
  await system.stop();
});

async function accountWithKey(settings = {}): Promise<{ account: TestAccount; record: string }> {
  const account = await system.account();
  const path = `/v1/accounts/${account.name}/domains/${account.domain}/dkim`;
  const { status, body } = await system.control.put<{ dns: { name: string; value: string } }>(path, settings);
  expect(status).toBe(200);
  return { account, record: body.dns.value };
}

async function signatureOn(server: MailServer, account: TestAccount, record: string): Promise<string> {
  const before = server.accepted.length;
  const headers = `From: ${account.sender}\r\nSubject: A test\r\nMIME-Version: 1.0\r\n`;
  const [mailId = ""] = await system.hand(account, { recipients: [recipient], headers });
  await system.ended(mailId);
  const received = server.accepted[before];
  if (received === undefined) throw new Error("the mail went another way");
  const { results } = await dkimVerify(received.raw, { resolver: async () => [[record]] });
  return results[0]?.status.result ?? "none";
}

it("is there on the default route", async () => {
  const { account, record } = await accountWithKey();
  expect(await signatureOn(mx, account, record)).toBe("pass");
});

it("is on relayed mails only where the domain says so", async () => {
  const plain = await accountWithKey();
  await system.relay(plain.account, relay);
  expect(await signatureOn(relay, plain.account, plain.record)).toBe("none");
  const signed = await accountWithKey({ relayed: true });
  await system.relay(signed.account, relay);
  expect(await signatureOn(relay, signed.account, signed.record)).toBe("pass");
});
