// Header fields as they go on the wire: encoded words where text is outside ASCII, folded lines, CRLF. Encoding by Nodemailer.
import { foldLines } from "nodemailer/lib/mime-funcs";
import MimeNode from "nodemailer/lib/mime-node";
import type { Mailbox } from "./address.ts";
import { wireAddress } from "./address.ts";

/** Fixed, so that no chance is drawn for boundaries that a header block doesn't have. */
const BASE = { baseBoundary: "-" } as const;

const LINE_LENGTH = 76;

const encoders = {
  automatic: new MimeNode(false, BASE),
  base64: new MimeNode(false, { ...BASE, textEncoding: "B" }),
  "quoted-printable": new MimeNode(false, { ...BASE, textEncoding: "Q" }),
};
export type WordEncoding = keyof typeof encoders;

export interface HeaderField {
  name: string;
  /** Encoded: ASCII but for addresses that need SMTPUTF8. */
  value: string;
}

/** A text of any characters as the value of a field. */
export function textField(name: string, text: string, encoding: WordEncoding = "automatic"): HeaderField {
  return { name, value: encoders[encoding].encodeHeaderValue("X-Text", text) };
}

const PRINTABLE_ASCII = /^[\t -~]*$/;

/** A value that a caller chose for a field of their own: ASCII is in its final form, encoded words in it included. */
export function givenField(name: string, text: string): HeaderField {
  return PRINTABLE_ASCII.test(text) ? plainField(name, text) : textField(name, text);
}

/** Mailboxes as the value of a field; undefined where there are none. */
export function addressField(name: string, mailboxes: readonly Mailbox[]): HeaderField | undefined {
  if (mailboxes.length === 0) return undefined;
  const addresses = mailboxes.map((mailbox) => ({ name: mailbox.name ?? "", address: wireAddress(mailbox.address) }));
  return { name, value: encoders.automatic.encodeHeaderValue("To", addresses) };
}

/** A value that is in its final form. */
export function plainField(name: string, value: string): HeaderField {
  return { name, value };
}

export function dateField(date: Date): HeaderField {
  return plainField("Date", date.toUTCString().replace("GMT", "+0000"));
}

/** The block of fields: each folded and ended by CRLF, without the empty line after it. */
export function headerBlock(fields: readonly (HeaderField | undefined)[]): string {
  return fields
    .flatMap((field) => (field === undefined ? [] : [`${foldLines(`${field.name}: ${field.value}`, LINE_LENGTH)}\r\n`]))
    .join("");
}
