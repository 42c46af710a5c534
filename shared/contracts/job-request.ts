// The JobRequest of REST and broker, strictly (contract, JobRequest over REST): every mistake is named by its path,
// unknown keys too; what comes out has its encodings undone. The OpenAPI and AsyncAPI documents are made from this schema.
import { z } from "zod";
import { MOST_JSON_VALUES } from "#shared/json-values.ts";
import { hasAtMost } from "./characters.ts";
import { endpointDetailsSchema } from "./endpoint-details.ts";
import {
  attachment,
  besideOtherMistakes,
  contentBesideMistakes,
  decodeInSchema,
  encodedFields,
  freeMap,
  headerText,
  mistakeOfHeaderText,
  NOT_WELL_FORMED,
  recipientAddress,
  senderAddress,
  shortText,
} from "./job-request-fields.ts";
import { mistakeOfListUnsubscribe, mistakeOfMessageIds, mistakeOfXHeader } from "./mail-fields.ts";
import type { Mistake } from "./problem.ts";

/** Of a body with more values than are read as JSON. */
export const TOO_MANY_VALUES: Mistake = { path: ".", message: `at most ${MOST_JSON_VALUES} values` };

export const MAX_ADDRESSES = 1_000;
export const MAX_SUBJECT_CHARACTERS = 500;
/** As MIME. */
export const MAX_MAIL_BYTES = 20_971_520;

function mistakeOfSubject(text: string): string | undefined {
  return hasAtMost(text, MAX_SUBJECT_CHARACTERS)
    ? mistakeOfHeaderText(text)
    : `at most ${MAX_SUBJECT_CHARACTERS} characters`;
}

const subject = z
  .strictObject(encodedFields)
  .refine(...contentBesideMistakes(mistakeOfSubject))
  .transform((fields, context) => {
    const decoded = decodeInSchema(fields, context);
    if (decoded === z.NEVER) return z.NEVER;
    const mistake = mistakeOfSubject(decoded.text);
    if (mistake !== undefined) context.addIssue({ code: "custom", path: ["content"], message: mistake });
    return decoded;
  })
  .meta({ description: `At most ${MAX_SUBJECT_CHARACTERS} characters, decoded` });

const body = z
  .strictObject({ contentType: z.enum(["text/plain", "text/html"]).default("text/plain"), ...encodedFields })
  .refine(...contentBesideMistakes())
  .transform((fields, context) => ({ contentType: fields.contentType, ...decodeInSchema(fields, context) }));

const alternative = z
  .strictObject(encodedFields)
  .refine(...contentBesideMistakes())
  .transform(decodeInSchema);

const messageIds = headerText.superRefine((text, context) => {
  const mistake = mistakeOfMessageIds(text);
  if (mistake !== undefined) context.addIssue(mistake);
});

const listUnsubscribe = headerText.superRefine((text, context) => {
  const mistake = mistakeOfListUnsubscribe(text);
  if (mistake !== undefined) context.addIssue(mistake);
});

function mistakeOfXHeaderField(name: string, value: string): string | undefined {
  return mistakeOfXHeader(name) ?? (value.isWellFormed() ? mistakeOfHeaderText(value) : NOT_WELL_FORMED);
}

/** What may stand at job level and for each entry; there it overrides (contract). */
const commonMailFields = {
  replyTo: senderAddress.optional(),
  inReplyTo: messageIds.optional(),
  priority: z.enum(["HIGH", "NORMAL", "LOW"]).optional(),
  xHeaders: freeMap(mistakeOfXHeaderField).optional(),
};

const addresses = z.array(recipientAddress).min(1, { error: "must not be empty" }).optional();

const recipient = z.strictObject({
  mail: z
    .strictObject({
      to: addresses,
      cc: addresses,
      bcc: addresses,
      ...commonMailFields,
      listUnsubscribe: listUnsubscribe.optional(),
    })
    .refine(({ to, cc, bcc }) => [to, cc, bcc].some((list) => list !== undefined), {
      error: "at least one of to, cc and bcc",
      when: besideOtherMistakes,
    }),
  reference: headerText.optional(),
});

/** Addresses in an entry that may not be one: counted before the rest of the job is known to be right. */
function countAddresses(entry: unknown): number {
  const mail: unknown = typeof entry === "object" && entry !== null && "mail" in entry ? entry.mail : undefined;
  if (typeof mail !== "object" || mail === null) return 0;
  const lists: readonly (readonly [string, unknown])[] = Object.entries(mail);
  return lists
    .filter(([name]) => name === "to" || name === "cc" || name === "bcc")
    .reduce((sum, [, list]) => sum + (Array.isArray(list) ? list.length : 0), 0);
}

/** A list that is looked at only where it is short enough: each of millions would be a mistake, or several. */
function shortList<T extends z.ZodType>(list: T, mistakeOf: (entries: readonly unknown[]) => string | undefined) {
  return z.preprocess((input, context) => {
    const mistake = Array.isArray(input) ? mistakeOf(input) : undefined;
    if (mistake === undefined) return input;
    context.addIssue(mistake);
    return z.NEVER;
  }, list);
}

const recipients = shortList(z.array(recipient).min(1, { error: "at least one recipient" }), (entries) => {
  // One without an address is wrong by itself.
  const addressCount = entries.reduce<number>((sum, entry) => sum + Math.max(1, countAddresses(entry)), 0);
  return addressCount <= MAX_ADDRESSES
    ? undefined
    : `at most ${MAX_ADDRESSES} addresses in to, cc and bcc of all entries`;
}).meta({ description: `1 to ${MAX_ADDRESSES} addresses in to, cc and bcc of all entries` });

/** Each is three values at least: itself, its name and its content. */
const MOST_ATTACHMENTS = Math.floor(MOST_JSON_VALUES / 3);

const attachments = shortList(z.array(attachment).min(1, { error: "must not be empty" }), ({ length }) =>
  length <= MOST_ATTACHMENTS ? undefined : `at most ${MOST_ATTACHMENTS} attachments`,
);

const options = freeOptions();

/** Those that are ignored have a value, as every key has that is present. */
function freeOptions(): z.ZodType<{ messageSigning?: boolean }, unknown> {
  return z
    .object({ messageSigning: z.boolean().optional() })
    .catchall(z.unknown().refine((value) => value !== null && value !== "", { error: "must not be empty" }))
    .transform(({ messageSigning }) => (messageSigning === undefined ? {} : { messageSigning }));
}

/** What is no body, or of no type, is a mistake by itself. */
function isHtml(main: unknown): boolean {
  if (typeof main !== "object" || main === null) return main !== undefined;
  return !("contentType" in main) || main.contentType !== "text/plain";
}

export const jobRequestSchema = z
  .strictObject({
    subject,
    body: body.optional(),
    alternative: alternative.optional(),
    attachments: attachments.optional(),
    recipients,
    mail: z.strictObject({ from: senderAddress, mimeFrom: senderAddress.optional(), ...commonMailFields }),
    job: z
      .strictObject({
        referenceJob: shortText.optional(),
        costCenter: shortText.optional(),
        campaignId: shortText.optional(),
        options: options.optional(),
      })
      .optional(),
    notification: z.strictObject({ endPoint: endpointDetailsSchema }).optional(),
  })
  .refine(({ alternative: part, body: main }) => part === undefined || isHtml(main), {
    path: ["alternative"],
    error: "stands beside an HTML body only",
    when: besideOtherMistakes,
  });
export type JobRequest = z.output<typeof jobRequestSchema>;
export type JobRequestEntry = JobRequest["recipients"][number];
