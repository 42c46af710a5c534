// Fits a mail to what the server can take (SIZE, 8BITMIME, SMTPUTF8): re-encoded where MIME allows, refused otherwise,
// never sent as bytes that the server did not agree to.
import { isAscii } from "node:buffer";
import { wireAddress } from "#shared/email/address.ts";
import type { Capabilities } from "./capabilities.ts";
import type { LocalCause } from "#shared/life/outcome.ts";
import type { MessagePieces } from "./message-pieces.ts";
import { bytesOf, hasAsciiHeader } from "./message-pieces.ts";
import { toSevenBit } from "./seven-bit.ts";

export interface WireMail {
  /** "" is the null reverse-path. */
  from: string;
  to: string;
  message: MessagePieces;
  /** The message with its DKIM signature, where it gets one. */
  sign(message: MessagePieces): Promise<MessagePieces | "key-unreadable">;
}

export interface Transaction {
  from: string;
  to: string;
  message: MessagePieces;
  use8BitMime: boolean;
  useSmtpUtf8: boolean;
}

export type Fitted = { ok: true; transaction: Transaction } | { ok: false; cause: LocalCause; detail: string };

const ASCII_ONLY = /^\p{ASCII}*$/u;

export async function fitMessage(mail: WireMail, capabilities: Capabilities): Promise<Fitted> {
  const { size, smtpUtf8, eightBitMime } = capabilities;
  const from = wireAddress(mail.from);
  const to = wireAddress(mail.to);
  const isPlain = mail.message.every((piece) => isAscii(piece));
  const useSmtpUtf8 = !ASCII_ONLY.test(from + to) || (!isPlain && !hasAsciiHeader(mail.message));
  if (useSmtpUtf8 && !smtpUtf8) {
    return { ok: false, cause: "needs-smtputf8", detail: "the mail needs SMTPUTF8, which the server does not offer" };
  }
  const isSentAsItIs = isPlain || eightBitMime;
  const encoded = isSentAsItIs ? mail.message : toSevenBitPieces(mail.message);
  if (encoded === undefined) {
    return { ok: false, cause: "needs-8bit", detail: "the mail needs 8BITMIME, which the server does not offer" };
  }
  // What is signed is what goes out: encoded anew it would belie its signature.
  const message = await mail.sign(encoded);
  if (message === "key-unreadable") {
    return {
      ok: false,
      cause: "dkim-key-unreadable",
      detail: "the stored DKIM key of the sender domain cannot be opened",
    };
  }
  const bytes = bytesOf(message);
  if (size !== undefined && bytes > size) {
    const detail = `the mail has ${bytes} bytes, the server takes ${size}`;
    return { ok: false, cause: "too-large", detail };
  }
  return { ok: true, transaction: { from, to, message, use8BitMime: !isPlain && isSentAsItIs, useSmtpUtf8 } };
}

function toSevenBitPieces(message: MessagePieces): MessagePieces | undefined {
  const encoded = toSevenBit(Buffer.concat(message));
  return encoded === undefined ? undefined : [encoded];
}
