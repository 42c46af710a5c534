// The kinds of values in a JobRequest: text, header values, addresses, encoded text, attachments, free maps.
// A key that is present has a non-empty value; CR, LF and other control characters are in no header value (design, Ways in).
import { z } from "zod";
import { isValidAddress, parseMailbox } from "#shared/email/address.ts";
import { decodeBytes, isKnownCharset } from "#shared/email/charset.ts";
import { decodeBase64, decodeQuotedPrintable } from "#shared/email/transfer-encoding.ts";
import { hasAtMost } from "./characters.ts";
import type { NamedValue } from "./named-values.ts";
import { namedValues } from "./named-values.ts";

export const MAX_REFERENCE_CHARACTERS = 50;

const EMPTY = "must not be empty";

/** `when` of a rule over several fields: it is looked at whatever else is wrong, for every mistake is told at once. */
export const besideOtherMistakes = ({ value }: { value: unknown }): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const NOT_WELL_FORMED = "not well-formed Unicode";

export const plainText = z
  .string()
  .min(1, { error: EMPTY })
  .refine((text) => text.isWellFormed(), { error: NOT_WELL_FORMED });

const MOST_UNBROKEN = 900;
export const MOST_IN_HEADER = 16_384;

/** What is wrong with a header value, or undefined. A longer run without white space fits on no line (RFC 5322 §2.1.1). */
export function mistakeOfHeaderText(text: string): string | undefined {
  if (/[\r\n]/.test(text)) return "no CR or LF in a header value";
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(text)) return "no control characters in a header value";
  if (text.trim() === "") return EMPTY;
  if (!hasAtMost(text, MOST_IN_HEADER)) return `at most ${MOST_IN_HEADER} characters`;
  const isFoldable = text.length <= MOST_UNBROKEN || text.split(/\s+/).every((word) => hasAtMost(word, MOST_UNBROKEN));
  return isFoldable ? undefined : `at most ${MOST_UNBROKEN} characters without white space`;
}

export const headerText = plainText.superRefine((text, context) => {
  // What is empty was named by plainText.
  const mistake = text === "" ? undefined : mistakeOfHeaderText(text);
  if (mistake !== undefined) context.addIssue(mistake);
});

export const shortText = headerText
  .refine((text) => hasAtMost(text, MAX_REFERENCE_CHARACTERS), {
    error: `at most ${MAX_REFERENCE_CHARACTERS} characters`,
  })
  .meta({ maxLength: MAX_REFERENCE_CHARACTERS });

/** `{email}` of a recipient: whatever stands in it; one that is no address is dropped later, alone (contract, Tracking points). */
export const recipientAddress = z.strictObject({ email: headerText });

/** `{email}` of a sender: must be an address, a display name allowed. */
export const senderAddress = z.strictObject({
  email: headerText.refine((text) => isValidAddress(parseMailbox(text).address), { error: "not an email address" }),
});

const contentEncoding = z.enum(["plain", "quoted-printable", "base64"]);
const contentTransferEncoding = z.enum(["7bit", "8bit", "quoted-printable", "base64"]);
const charset = headerText.refine(isKnownCharset, { error: "unknown charset" });

/** A text with its encodings, as it stands in JSON. */
export const encodedFields = {
  content: plainText,
  contentEncoding: contentEncoding.optional(),
  contentTransferEncoding: contentTransferEncoding.optional(),
  charset: charset.optional(),
};

export interface EncodedFields {
  content: string;
  contentEncoding?: z.output<typeof contentEncoding> | undefined;
  contentTransferEncoding?: z.output<typeof contentTransferEncoding> | undefined;
  charset?: string | undefined;
}

/** A text with its encodings undone. */
export interface DecodedText {
  text: string;
  /** That the MIME part should have. */
  charset: string;
  transferEncoding: z.output<typeof contentTransferEncoding> | undefined;
}

/** What the fields say as text, or what is wrong with their content. */
export function decodeFields(fields: EncodedFields): DecodedText | { mistake: string } {
  const { contentEncoding: encoding = "plain", charset: label = "utf-8", contentTransferEncoding: transfer } = fields;
  const as = (text: string): DecodedText => ({ text, charset: label, transferEncoding: transfer });
  if (encoding === "plain") return as(fields.content);
  const bytes = encoding === "base64" ? decodeBase64(fields.content) : decodeQuotedPrintable(fields.content);
  if (bytes === undefined) return { mistake: `not ${encoding}` };
  const text = decodeBytes(bytes, label);
  if (text === undefined) return { mistake: `no text in ${label}` };
  return text === "" ? { mistake: "must not be empty" } : as(text);
}

/** Decodes within a schema; a mistake is one of `content`. */
export function decodeInSchema(fields: EncodedFields, context: z.RefinementCtx): DecodedText {
  const decoded = decodeFields(fields);
  if (!("mistake" in decoded)) return decoded;
  context.addIssue({ code: "custom", path: ["content"], message: decoded.mistake });
  return z.NEVER;
}

/** What can be read of a content whatever else is wrong. No charset: one that nobody knows. */
const readableFields = z.object({
  content: plainText,
  contentEncoding: contentEncoding.default("plain"),
  charset: charset.default("utf-8").optional().catch(undefined),
});

function mistakeBesideOthers(fields: unknown, mistakeOfText: (text: string) => string | undefined): string | undefined {
  const { data } = readableFields.safeParse(fields);
  if (data === undefined) return undefined;
  // Every byte is a text in Latin-1.
  const decoded = decodeFields({ ...data, charset: data.charset ?? "latin1" });
  if ("mistake" in decoded) return decoded.mistake;
  const isText = data.charset !== undefined || data.contentEncoding === "plain";
  return isText ? mistakeOfText(decoded.text) : undefined;
}

/** A rule for fields that are not decoded, because something else is wrong with them: every mistake is told at once. */
export function contentBesideMistakes(mistakeOfText: (text: string) => string | undefined = () => undefined) {
  const mistakeOf = (fields: unknown): string | undefined => mistakeBesideOthers(fields, mistakeOfText);
  const options = {
    path: ["content"],
    error: ({ input }: { input?: unknown }) => mistakeOf(input),
    when: ({ value, issues }: z.core.ParsePayload) => issues.length > 0 && besideOtherMistakes({ value }),
  };
  return [(fields: unknown) => mistakeOf(fields) === undefined, options] as const;
}

/** With parameters that a header can have: their names are tokens (RFC 2045 §5.1), what stands in them is encoded. */
const MEDIA_TYPE =
  /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}[\t ]*(?:;[\t ]*(?:[\w!#$%&'*+.^`{|}~-]+[\t ]*(?:=(?:[\t ]*"(?:[^"\\]|\\.)*"[\t ]*|[^;"]*))?)?)*$/;

export const attachment = z.strictObject({
  name: headerText,
  contentType: headerText.regex(MEDIA_TYPE, { error: "a media type such as application/pdf" }).optional(),
  content: z
    .string()
    .min(1, { error: "must not be empty" })
    .transform((text, context) => {
      const bytes = decodeBase64(text);
      if (bytes !== undefined) return bytes;
      context.addIssue("not base64");
      return z.NEVER;
    }),
});

/** A map that has at least one key, none of them without a value (contract, JobRequest over REST). */
export function freeMap(
  mistakeOf: (name: string, value: string) => string | undefined,
): z.ZodType<readonly NamedValue[], unknown> {
  const isEmpty = (input: unknown): boolean =>
    typeof input === "object" && input !== null && !Array.isArray(input) && Object.keys(input).length === 0;
  return z
    .unknown()
    .refine((input) => !isEmpty(input), { error: EMPTY, abort: true })
    .pipe(namedValues((name, value) => (value.trim() === "" ? EMPTY : mistakeOf(name, value))))
    .meta({ type: "object", additionalProperties: { type: "string", minLength: 1 } });
}
