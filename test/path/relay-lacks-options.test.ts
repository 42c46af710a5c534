// What a mail needs and a relay lacks (SIZE, 8BITMIME, SMTPUTF8): encoded anew where MIME allows, refused otherwise, never sent
// as bytes that the relay did not agree to.
import { isAscii } from "node:buffer";
import { simpleParser } from "mailparser";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { HandedJob, DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { TestAccount } from "#test/support/system-client.ts";

const EIGHT_BIT =
  "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße aus Köln\r\n";
const SIGNED = `Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=b\r\n\r\n--b\r\n${EIGHT_BIT}\r\n--b--\r\n`;

let system: DeliverySystem;
let relay: MailServer;
let account: TestAccount;

beforeAll(async () => {
  system = await startDeliverySystem();
  relay = await startMailServer({ options: { hide8BITMIME: true, hideSMTPUTF8: true, size: 100_000 } });
  account = await system.account();
  await system.relay(account, relay);
});
afterAll(async () => {
  await relay.close();
  await system.stop();
});

async function send(job: Partial<HandedJob>) {
  const before = relay.mails.length;
  const [mailId = ""] = await system.hand(account, { recipients: ["to@recipient.example"], ...job });
  const last = (await system.ended(mailId)).trackingPoints.at(-1);
  return { event: last?.meta.event, smtp: last?.content?.smtp, received: relay.mails.slice(before) };
}

it("sends text of eight bits in seven, and it reads the same", async () => {
  const { event, received } = await send({ content: EIGHT_BIT });
  expect(event?.type).toBe("DELIVERED");
  const raw = received[0]?.raw ?? Buffer.alloc(0);
  expect(isAscii(raw)).toBe(true);
  expect((await simpleParser(raw)).text).toBe("Grüße aus Köln\n");
});

it.each<[string, Partial<HandedJob>, string]>([
  ["a signed message of eight bits", { content: SIGNED }, "5.6.3"],
  ["a header in UTF-8", { headers: "Subject: Grüße\r\nMIME-Version: 1.0\r\n" }, "5.6.7"],
  ["a recipient that needs SMTPUTF8", { recipients: ["jürgen@recipient.example"] }, "5.6.7"],
  [
    "a message larger than the relay takes",
    { content: `Content-Type: text/plain\r\n\r\n${"x\r\n".repeat(40_000)}` },
    "5.3.4",
  ],
])("refuses %s, and sends nothing of it", async (_name, job, dsn) => {
  const { event, smtp, received } = await send(job);
  expect(event).toMatchObject({ type: "BOUNCED", subType: "HARD_BOUNCE" });
  expect(smtp).toMatchObject({ dsn, relay: relay.host });
  expect(smtp?.responseCode).toBeUndefined();
  expect(received).toEqual([]);
});
