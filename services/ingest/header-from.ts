// The address of a header From: who the sender is where the reverse-path is null (contract, Relay Service 7).
import { withoutQuotedStrings } from "#shared/email/quoted-string.ts";
import { parsePathCommand } from "./smtp-path.ts";

/** Up to where another begins, or to the end of the text, where nobody closes it. */
const COMMENT = /\((?:[^()\\]|\\.?)*(\)|(?=\()|$)/gs;

function withoutComments(text: string): string {
  return text.replaceAll(COMMENT, (comment: string, end: string) => (end === ")" ? "" : comment));
}

/** The one address of a From value, or undefined where there is none or more than one. */
export function addressOfFrom(value: string): string | undefined {
  const bare = withoutComments(withoutQuotedStrings(value)).trim();
  const inBrackets = [...bare.matchAll(/<([^<>]*)>/g)].map((match) => match[1]?.trim() ?? "");
  const [address, ...others] = inBrackets.length > 0 ? inBrackets : bare.split(",").map((part) => part.trim());
  if (address === undefined || others.length > 0) return undefined;
  const parsed = parsePathCommand("MAIL FROM", `MAIL FROM:<${address}>`);
  return parsed === undefined || parsed.path === "" ? undefined : parsed.path;
}
