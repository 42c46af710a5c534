// Puts a mail's message together as it goes over the wire: its own headers, the content that its job's mails share,
// and the signature over both where its sender domain signs.
import type { MailMessage } from "#shared/contracts/mail.ts";
import { composeSigned, splitForSigning } from "#shared/signing/multipart-signed.ts";
import type { SenderDomain } from "#shared/routing/configuration.ts";
import type { Sealer } from "#shared/secrets.ts";
import { dkimSign } from "mailauth/lib/dkim/sign.js";
import type { WireMail } from "./fit-message.ts";

export function composeMessage(mail: MailMessage, content: Buffer): Buffer {
  if (mail.signature !== undefined) {
    return Buffer.concat(composeSigned(splitForSigning(Buffer.from(mail.headers), content), mail.signature));
  }
  return mail.headers === "" ? content : Buffer.concat([Buffer.from(mail.headers), content]);
}

export interface Signer {
  sealer: Sealer;
  domain: SenderDomain | undefined;
  isRelayed: boolean;
}

function isDkimSigned({ domain, isRelayed }: Pick<Signer, "domain" | "isRelayed">): boolean {
  return domain?.dkim !== undefined && (!isRelayed || domain.dkim.relayed);
}

/** A DKIM signature with the sender domain's key: on the default route, and relayed where the domain says so. */
async function dkimSignature(message: Buffer, { sealer, domain, isRelayed }: Signer): Promise<string> {
  const dkim = domain?.dkim;
  if (domain === undefined || dkim === undefined || !isDkimSigned({ domain, isRelayed })) return "";
  const key = { signingDomain: domain.domain, selector: dkim.selector, privateKey: sealer.open(dkim.privateKey) };
  const options = { canonicalization: "relaxed/relaxed", ...key, signatureData: [key] };
  const { signatures, errors } = await dkimSign(message, options);
  const [failed] = errors;
  if (failed !== undefined) throw new Error("the mail cannot be signed with DKIM", { cause: failed });
  return signatures;
}

/** From this size on headers and content go out one after the other: no copy of a large body for each of its mails. */
const LARGE_BYTES = 256 * 1024;

export async function wireMailOf(mail: MailMessage, content: Buffer, signer: Signer): Promise<WireMail> {
  const isUnsigned = mail.signature === undefined && !isDkimSigned(signer);
  if (isUnsigned && mail.headers !== "" && content.length > LARGE_BYTES) {
    return { from: mail.head.envelopeFrom, to: mail.recipient, head: Buffer.from(mail.headers), message: content };
  }
  const message = composeMessage(mail, content);
  const signature = await dkimSignature(message, signer);
  const whole = signature === "" ? message : Buffer.concat([Buffer.from(signature), message]);
  return { from: mail.head.envelopeFrom, to: mail.recipient, message: whole };
}
