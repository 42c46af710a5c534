// The address of a header From: who the sender is where the reverse-path is null (contract, Relay Service 7).
import { parsePathCommand } from "./smtp-path.ts";

const QUOTED_NAME = /"(?:[^"\\]|\\.)*"(?!@)/g;
const COMMENT = /\((?:[^()\\]|\\.)*\)/g;

/** The one address of a From value, or undefined where there is none or more than one. */
export function addressOfFrom(value: string): string | undefined {
  const bare = value.replace(QUOTED_NAME, "").replace(COMMENT, "").trim();
  const inBrackets = [...bare.matchAll(/<([^<>]*)>/g)].map((match) => match[1]?.trim() ?? "");
  const [address, ...others] = inBrackets.length > 0 ? inBrackets : bare.split(",").map((part) => part.trim());
  if (address === undefined || others.length > 0) return undefined;
  const parsed = parsePathCommand("MAIL FROM", `MAIL FROM:<${address}>`);
  return parsed === undefined || parsed.path === "" ? undefined : parsed.path;
}
