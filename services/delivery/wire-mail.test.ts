import { generateKeyPairSync } from "node:crypto";
import { expect, it } from "vitest";
import { createSealer } from "#shared/secrets.ts";
import { aDomain, aMail } from "#test/support/build-mail.ts";
import { NO_CAPABILITIES } from "./capabilities.ts";
import { fitMessage } from "./fit-message.ts";
import { wireMailOf } from "./wire-mail.ts";

const sealer = createSealer(Buffer.alloc(32, 1));
const { privateKey } = generateKeyPairSync("ed25519", { privateKeyEncoding: { type: "pkcs8", format: "pem" } });

/** As it would go to the server, of a domain with this DKIM key. */
function sent(headers: string, key: string) {
  const domain = aDomain({ dkim: { selector: "one", privateKey: key, relayed: false } });
  const mail = wireMailOf(aMail({ headers }), Buffer.from("\r\nhello\r\n"), { sealer, domain, isRelayed: false });
  return fitMessage(mail, NO_CAPABILITIES);
}

async function sentText(headers: string): Promise<string> {
  const fitted = await sent(headers, sealer.seal(privateKey));
  if (!fitted.ok) throw new Error(fitted.detail);
  return Buffer.concat(fitted.transaction.message).toString();
}

it("a mail without a From, which no DKIM signature can be made for, goes out as it came", async () => {
  expect(await sentText("From: news@example.com\r\n")).toMatch(
    /^DKIM-Signature: .*From: news@example.com\r\n\r\nhello/s,
  );
  expect(await sentText("Subject: no sender\r\n")).toBe("Subject: no sender\r\n\r\nhello\r\n");
});

it("a mail whose DKIM key cannot be opened is deferred and says so", async () => {
  const fitted = await sent("From: news@example.com\r\n", "v1.no.such.secret");
  expect(fitted).toMatchObject({ ok: false, cause: "dkim-key-unreadable" });
});
