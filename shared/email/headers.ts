// Header fields as they go on the wire: encoded words where text is outside ASCII, folded lines, CRLF. Encoding by Nodemailer.
import { encodeWord } from "nodemailer/lib/mime-funcs";
import MimeNode from "nodemailer/lib/mime-node";
import type { Mailbox } from "./address.ts";
import { wireAddress } from "./address.ts";

/** Fixed, so that no chance is drawn for boundaries that a header block doesn't have. */
const BASE = { baseBoundary: "-" } as const;

const LINE_LENGTH = 76;
const WORD_LENGTH = 52;

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

const PRINTABLE_ASCII = /^[\t -~]*$/;
/** White space at an end is lost on the way, and a longer word fits into no line. */
const ENDS_IN_SPACE_OR_LONG = /^[\t ]|[\t ]$|[^\t ]{76}/;

/** A text of any characters as the value of a field. */
export function textField(name: string, text: string, encoding: WordEncoding = "automatic"): HeaderField {
  // What may hold encoded words is the encoder's to tell: they stay as they are.
  if (PRINTABLE_ASCII.test(text) && !text.includes("=?") && ENDS_IN_SPACE_OR_LONG.test(text))
    return { name, value: encodeWord(text, encoding === "base64" ? "B" : "Q", WORD_LENGTH) };
  return { name, value: encoders[encoding].encodeHeaderValue("X-Text", text) };
}

/** A value that a caller chose for a field of their own: ASCII is in its final form, encoded words in it included. */
export function givenField(name: string, text: string): HeaderField {
  return PRINTABLE_ASCII.test(text) ? plainField(name, text) : textField(name, text);
}

const STAND_IN = "stand-in@example.com";

/** Nodemailer takes angle brackets out of an address, which is another mailbox then: a quoted local part may have them. */
function mailboxValue({ name = "", address }: Mailbox): string {
  const wire = wireAddress(address);
  const encode = (shown: string): string => encoders.automatic.encodeHeaderValue("To", [{ name, address: shown }]);
  if (!/[<>]/.test(wire)) return encode(wire);
  return name === "" ? `<${wire}>` : `${encode(STAND_IN).slice(0, -STAND_IN.length - 2)}<${wire}>`;
}

/** Mailboxes as the value of a field; undefined where there are none. */
export function addressField(name: string, mailboxes: readonly Mailbox[]): HeaderField | undefined {
  if (mailboxes.length === 0) return undefined;
  return { name, value: mailboxes.map(mailboxValue).join(", ") };
}

/** A value that is in its final form. */
export function plainField(name: string, value: string): HeaderField {
  return { name, value };
}

export function dateField(date: Date): HeaderField {
  return plainField("Date", date.toUTCString().replace("GMT", "+0000"));
}

/** With the white space before them. */
const WORDS = /[\t ]*[^\t ]+/g;
const MOST_IN_LINE = 998;

/** White space that no line can hold is cut. */
function fitting(word: string): string {
  const tooMany = word.length - MOST_IN_LINE;
  return tooMany <= 0 ? word : word.replace(new RegExp(`^[\\t ]{1,${tooMany}}(?=[\\t ])`), "");
}

/**
 * Folded before words alone: a line of nothing but white space is none (RFC 5322 §3.2.2), and a first word behind a line end
 * is read with the space before it by some (Python's email).
 */
function fold({ name, value }: HeaderField): string {
  const [first = "", ...words] = value.trim().match(WORDS)?.map(fitting) ?? [];
  let folded = "";
  let line = `${name}: ${first}`;
  for (const word of words) {
    if (line.length + word.length > LINE_LENGTH) {
      folded += `${line}\r\n`;
      line = word;
    } else line += word;
  }
  return `${folded}${line}\r\n`;
}

/** The block of fields: each folded and ended by CRLF, without the empty line after it. */
export function headerBlock(fields: readonly (HeaderField | undefined)[]): string {
  return fields.flatMap((field) => (field === undefined ? [] : [fold(field)])).join("");
}
