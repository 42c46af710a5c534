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

interface Signing {
  account: TestAccount;
  record: string;
  content?: string;
}

async function signatureOn(server: MailServer, { account, record, ...job }: Signing): Promise<string> {
  const before = server.accepted.length;
  const headers = `From: ${account.sender}\r\nSubject: A test\r\nMIME-Version: 1.0\r\n`;
  const [mailId = ""] = await system.hand(account, { recipients: [recipient], headers, ...job });
  await system.ended(mailId);
  const received = server.accepted[before];
  if (received === undefined) throw new Error("the mail went another way");
  const { results } = await dkimVerify(received.raw, { resolver: async () => [[record]] });
  return results[0]?.status.result ?? "none";
}

it("is there on the default route", async () => {
  expect(await signatureOn(mx, await accountWithKey())).toBe("pass");
});

it("is on relayed mails only where the domain says so", async () => {
  const plain = await accountWithKey();
  await system.relay(plain.account, relay);
  expect(await signatureOn(relay, plain)).toBe("none");
  const signed = await accountWithKey({ relayed: true });
  await system.relay(signed.account, relay);
  expect(await signatureOn(relay, signed)).toBe("pass");
});

it("is of what was sent where the server takes seven bits only", async () => {
  const old = await startMailServer({ options: { hide8BITMIME: true } });
  const signed = await accountWithKey({ relayed: true });
  await system.relay(signed.account, old);
  const content = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n";
  expect(await signatureOn(old, { ...signed, content })).toBe("pass");
  expect(old.accepted[0]?.text).toContain("Gr=C3=BC=C3=9Fe");
  await old.close();
});
