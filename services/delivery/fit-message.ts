// Fits a mail to what the server can take (SIZE, 8BITMIME, SMTPUTF8): re-encoded where MIME allows, refused otherwise,
// never sent as bytes that the server did not agree to.
import { isAscii } from "node:buffer";
import { wireAddress } from "#shared/email/address.ts";
import type { Capabilities } from "./capabilities.ts";
import type { LocalCause } from "./outcome.ts";
import { toSevenBit } from "./seven-bit.ts";
import type { Transaction } from "./session.ts";

export interface WireMail {
  /** "" is the null reverse-path. */
  from: string;
  to: string;
  message: Buffer;
}

export type Fitted = { ok: true; transaction: Transaction } | { ok: false; cause: LocalCause; detail: string };

const ASCII_ONLY = /^\p{ASCII}*$/u;

function headerOf(message: Buffer): Buffer {
  const end = message.indexOf("\r\n\r\n");
  return end === -1 ? message : message.subarray(0, end);
}

export function fitMessage(mail: WireMail, capabilities: Capabilities): Fitted {
  const { size, smtpUtf8, eightBitMime } = capabilities;
  const from = wireAddress(mail.from);
  const to = wireAddress(mail.to);
  const isPlain = isAscii(mail.message);
  const useSmtpUtf8 = !ASCII_ONLY.test(from + to) || (!isPlain && !isAscii(headerOf(mail.message)));
  if (useSmtpUtf8 && !smtpUtf8) {
    return { ok: false, cause: "needs-smtputf8", detail: "the mail needs SMTPUTF8, which the server does not offer" };
  }
  const message = isPlain || eightBitMime ? mail.message : toSevenBit(mail.message);
  if (message === undefined) {
    return { ok: false, cause: "needs-8bit", detail: "the mail needs 8BITMIME, which the server does not offer" };
  }
  if (size !== undefined && message.length > size) {
    const detail = `the mail has ${message.length} bytes, the server takes ${size}`;
    return { ok: false, cause: "too-large", detail };
  }
  const use8BitMime = !isPlain && message === mail.message;
  return { ok: true, transaction: { from, to, message, use8BitMime, useSmtpUtf8 } };
}
