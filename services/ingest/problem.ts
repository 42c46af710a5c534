// What a refused submission is answered with: an RFC 9457 problem, over REST and the broker (operator contract, Administration API).
import type { z } from "zod";
import type { Problem } from "#shared/contracts/problem.ts";

export { problemSchema } from "#shared/contracts/problem.ts";
export type { Problem } from "#shared/contracts/problem.ts";
export type Mistake = NonNullable<Problem["errors"]>[number];

const TITLES = {
  400: "Bad request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not found",
  405: "Method not allowed",
  409: "Conflict",
  413: "Content too large",
  415: "Unsupported media type",
  422: "Unprocessable content",
  429: "Too many requests",
  500: "Internal server error",
  503: "Service unavailable",
} as const;
export type ProblemStatus = keyof typeof TITLES;

export const PROBLEM_STATUSES = Object.keys(TITLES).map(Number) as readonly ProblemStatus[];

export function problemOf(status: ProblemStatus, detail: string, errors?: readonly Mistake[]): Problem {
  return {
    type: "about:blank",
    title: TITLES[status],
    status,
    detail,
    ...(errors === undefined ? {} : { errors: [...errors] }),
  };
}

/** The mistakes of a request as the contract names them: `recipients[3].mail.to[0].email`, unknown keys one by one. */
export function mistakesOf(error: z.ZodError): Mistake[] {
  return error.issues.flatMap((issue) => {
    if (issue.code !== "unrecognized_keys") return [{ path: dotted(issue.path), message: issue.message }];
    return issue.keys.map((key) => ({ path: dotted([...issue.path, key]), message: "unknown field" }));
  });
}

/** `["recipients", 3, "mail"]` as `recipients[3].mail`; the empty path, of the whole body, as `.`. */
export function dotted(path: readonly PropertyKey[]): string {
  if (path.length === 0) return ".";
  return path
    .map((step, index) => (typeof step === "number" ? `[${step}]` : `${index === 0 ? "" : "."}${String(step)}`))
    .join("");
}
