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
  /** Headers that go before `message`, where those were not put together: large bodies are not copied for each mail. */
  head?: Buffer;
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
  const { head = Buffer.alloc(0) } = mail;
  const isPlain = isAscii(mail.message) && isAscii(head);
  const hasAsciiHeader = isPlain || (isAscii(head) && isAscii(headerOf(mail.message)));
  const useSmtpUtf8 = !ASCII_ONLY.test(from + to) || !hasAsciiHeader;
  if (useSmtpUtf8 && !smtpUtf8) {
    return { ok: false, cause: "needs-smtputf8", detail: "the mail needs SMTPUTF8, which the server does not offer" };
  }
  const isSentAsItIs = isPlain || eightBitMime;
  const message = isSentAsItIs ? mail.message : toSevenBit(Buffer.concat([head, mail.message]));
  if (message === undefined) {
    return { ok: false, cause: "needs-8bit", detail: "the mail needs 8BITMIME, which the server does not offer" };
  }
  const bytes = isSentAsItIs ? head.length + message.length : message.length;
  if (size !== undefined && bytes > size) {
    const detail = `the mail has ${bytes} bytes, the server takes ${size}`;
    return { ok: false, cause: "too-large", detail };
  }
  const use8BitMime = !isPlain && message === mail.message;
  const before = isSentAsItIs && mail.head !== undefined ? { head: mail.head } : {};
  return { ok: true, transaction: { from, to, ...before, message, use8BitMime, useSmtpUtf8 } };
}
