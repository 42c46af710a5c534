// Mistakes of an input as the contract has them, in a JobRequest and in the administration API alike: one for each, with a dotted path; unknown keys by their own name.
import type { z } from "zod";
import type { Mistake } from "./problem.ts";

/** `recipients[3].mail.to[0].email`; `.` for the whole. */
export function dottedPath(path: readonly PropertyKey[]): string {
  const text = path.reduce<string>((before, key) => {
    if (typeof key === "number") return `${before}[${key}]`;
    return before === "" ? String(key) : `${before}.${String(key)}`;
  }, "");
  return text === "" ? "." : text;
}

/** Named of one input: with the longest names that 12 MB hold, an answer is a message that every broker takes. */
export const MOST_MISTAKES = 10_000;

export function mistakesOf(error: z.ZodError): Mistake[] {
  const mistakes: Mistake[] = [];
  for (const issue of error.issues) {
    const room = MOST_MISTAKES - mistakes.length;
    if (room === 0) break;
    mistakes.push(...mistakesOfIssue(issue, room));
  }
  return mistakes;
}

function mistakesOfIssue(issue: z.core.$ZodIssue, most: number): Mistake[] {
  if (issue.code === "unrecognized_keys") {
    const keys = issue.keys.slice(0, most);
    return keys.map((key) => ({ path: dottedPath([...issue.path, key]), message: "unknown key" }));
  }
  const inner = issue.code === "invalid_key" ? issue.issues[0] : undefined;
  return [{ path: dottedPath(issue.path), message: messageOf(inner ?? issue) }];
}

function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type" && issue.message.endsWith("received undefined")) return "required";
  return issue.message.replace(/^Invalid input: /, "").replace(/^Too (small|big): /, "");
}
