// What a refused submission is answered with: an RFC 9457 problem, over REST and the broker (operator contract, Administration API).
import type { Mistake, Problem } from "#shared/contracts/problem.ts";

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
