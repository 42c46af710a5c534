// Fields that several operations share.
import { z } from "zod";
import { NOT_WELL_FORMED } from "#shared/contracts/job-request-fields.ts";
import { toALabels } from "#shared/email/domain-name.ts";
import { ACCOUNT_NAME } from "#shared/routing/configuration.ts";
import { decodeCursor, decodeMoment, DEFAULT_LIMIT, MOST_ITEMS } from "#shared/store/documents.ts";
import { readHostName } from "./host-name.ts";

function wellFormed(max: number): z.ZodString {
  return z
    .string()
    .min(1, { error: "not empty" })
    .max(max, { error: `at most ${max} characters` })
    .refine((value) => value.isWellFormed(), { error: NOT_WELL_FORMED });
}

// It stands in the OpenAPI document, whose readers may know no \P{Cc}: Python's re is one of them.
// oxlint-disable-next-line no-control-regex
const NO_CONTROLS = /^[^\x00-\x1f\x7f-\x9f]*$/;

/** One line of text without control characters. */
export function line(max: number): z.ZodString {
  return wellFormed(max).regex(NO_CONTROLS, { error: "no control characters" });
}

export const secret = wellFormed(1_000).nullable().optional().describe("kept when absent; null removes it");

export const hostName = z.string().transform((text, context) => {
  const read = readHostName(text);
  if (read.ok) return read.name;
  context.addIssue(read.problem);
  return z.NEVER;
});

export const accountParams = z.object({ account: z.string().describe("name of the account") });
/** A domain that is to be found: one that no domain can be is merely unknown. */
export const domainParams = accountParams.extend({
  domain: z
    .string()
    .transform((text) => toALabels(text) ?? text.toLowerCase())
    .describe("the sender domain"),
});
export const newDomainParams = accountParams.extend({ domain: hostName.describe("the sender domain") });
export const newAccountParams = z.object({
  account: z.string().regex(ACCOUNT_NAME, { error: "a name such as acme: [a-z0-9][a-z0-9-]{0,62}" }),
});

export const limit = z.coerce
  .number<string>({ error: `a whole number from 1 to ${MOST_ITEMS}` })
  .int()
  .min(1)
  .max(MOST_ITEMS)
  .default(DEFAULT_LIMIT)
  .describe(`how many items; at most ${MOST_ITEMS}`);

function cursorField(isCursor: (text: string) => boolean): z.ZodOptional<z.ZodString> {
  const text = z.string().max(1_000).refine(isCursor, { error: "the `cursor` of the page before" });
  return text.optional().describe("`cursor` of the page before");
}

export const pageQuery = z.strictObject({ cursor: cursorField((text) => decodeCursor(text) !== undefined), limit });
/** Of a list that is read newest first. */
export const newestQuery = z.strictObject({ cursor: cursorField((text) => decodeMoment(text) !== undefined), limit });

export const timestamp = z.iso
  .datetime({ offset: true, error: "a time stamp such as 2026-08-01T12:00:00.000Z" })
  .transform((text) => new Date(text));

export function listOf<T extends z.ZodType>(
  item: T,
): z.ZodObject<{ items: z.ZodArray<T>; cursor: z.ZodOptional<z.ZodString> }> {
  return z.object({
    items: z.array(item),
    cursor: z.string().optional().describe("asks for the page after; absent on the last"),
  });
}

export const isoTime = z.string().meta({ format: "date-time" });
