// A DKIM signature that the sender made still verifies at the relay: nothing below our Received line changes.
import { generateKeyPairSync } from "node:crypto";
import { dkimSign } from "mailauth/lib/dkim/sign.js";
import { dkimVerify } from "mailauth/lib/dkim/verify.js";
import { expect, it } from "vitest";
import { uniqueLabel } from "#test/support/addresses.ts";
import { commonSystem } from "#test/support/common-system.ts";
import { eventually } from "#test/support/eventually.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import { jobIdIn, openSession } from "#test/support/smtp-dialog.ts";

it("keeps a sender's signature valid, control headers or none", async () => {
  const system = await commonSystem();
  const relay = await startMailServer();
  const account = await system.account();
  await system.relay(account, relay);
  const recipient = `${uniqueLabel("to")}@recipient.example`;
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const message = `From: A <${account.sender}>\r\nTo: ${recipient}\r\nSubject: signed,\r\n  folded\r\nDate: Tue, 24 Nov 2026 20:00:00 +0000\r\nMessage-ID: <1@${account.domain}>\r\n\r\n.Body\r\n  with  blanks \r\n\r\n`;
  const signer = {
    signingDomain: account.domain,
    selector: "s",
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
  const how = { canonicalization: "simple/simple", ...signer, signatureData: [signer] };
  const { signatures } = await dkimSign(message, how);
  const dialog = await eventually(() => openSession(system.smtpPort, account));
  const sent = `X-Waypost-REFERENCE: r1\r\n${signatures}${message.replace("Subject", "X-Waypost-COST-CENTER:\r\n\t47\r\nSubject")}`;
  jobIdIn(await dialog.send({ from: account.sender, to: [recipient] }, sent));
  dialog.close();
  const received = await eventually(() => relay.mails.find((mail) => mail.to.includes(recipient)));
  await relay.close();
  expect(received.raw.toString("latin1")).toContain(signatures);
  const key = publicKey.export({ type: "spki", format: "der" }).toString("base64");
  const { results } = await dkimVerify(received.raw, { resolver: async () => [[`v=DKIM1; k=rsa; p=${key}`]] });
  expect(results.map(({ status }) => status.result)).toEqual(["pass"]);
});
