// Puts a mail's message together as it goes over the wire: its own headers, the content that its job's mails share,
// and the signature over both where its sender domain signs.
import type { MailMessage } from "#shared/contracts/mail.ts";
import { composeSigned, splitForSigning } from "#shared/signing/multipart-signed.ts";
import type { SenderDomain } from "#shared/routing/configuration.ts";
import type { Sealer } from "#shared/secrets.ts";
import type { WireMail } from "./fit-message.ts";
import type { MessagePieces } from "./message-pieces.ts";
import { bufferOrStream } from "./message-pieces.ts";

function piecesOf(mail: MailMessage, content: Buffer): MessagePieces {
  const headers = Buffer.from(mail.headers);
  if (mail.signature !== undefined) return composeSigned(splitForSigning(headers, content), mail.signature);
  return headers.length === 0 ? [content] : [headers, content];
}

export interface Signer {
  sealer: Sealer;
  domain: SenderDomain | undefined;
  isRelayed: boolean;
}

/** A signature has to cover the From (RFC 6376 §5.4): a message without one goes out as it came. */
const WITHOUT_FROM = "ENOFROM";

/** A DKIM signature with the sender domain's key: on the default route, and relayed where the domain says so. */
function signingOf({ sealer, domain, isRelayed }: Signer): WireMail["sign"] {
  const dkim = domain?.dkim;
  if (domain === undefined || dkim === undefined || (isRelayed && !dkim.relayed)) return async (message) => message;
  const privateKey = openedKey(dkim.privateKey, sealer);
  if (privateKey === undefined) return async () => "key-unreadable";
  const key = { signingDomain: domain.domain, selector: dkim.selector, privateKey };
  const options = { canonicalization: "relaxed/relaxed", ...key, signatureData: [key] };
  return async (message) => {
    // Loaded where it is needed: 2 MB of sources.
    const { dkimSign } = await import("mailauth/lib/dkim/sign.js");
    const { signatures, errors } = await dkimSign(bufferOrStream(message), options);
    const failed = errors.find(({ err }) => !("code" in err && err.code === WITHOUT_FROM));
    if (failed !== undefined) throw new Error("the mail cannot be signed with DKIM", { cause: failed });
    return [Buffer.from(signatures), ...message];
  };
}

function openedKey(sealed: string, sealer: Sealer): string | undefined {
  try {
    return sealer.open(sealed);
  } catch {
    return undefined;
  }
}

export function wireMailOf(mail: MailMessage, content: Buffer, signer: Signer): WireMail {
  return {
    from: mail.head.envelopeFrom,
    to: mail.recipient,
    message: piecesOf(mail, content),
    sign: signingOf(signer),
  };
}
