// What the API refuses: RFC 9457 problem details as values. Handlers return them; nothing is thrown for an expected refusal.
import { STATUS_CODES } from "node:http";
import { z } from "zod";
import type { Mistake } from "#shared/contracts/problem.ts";

export const PROBLEM_TYPE = "application/problem+json";

export const problemSchema = z
  .object({
    type: z.string().describe("`about:blank`: the status says it all"),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    errors: z
      .array(z.object({ path: z.string().describe("dotted; `.` is the whole body"), message: z.string() }))
      .optional()
      .describe("every mistake of bad input"),
    waiting: z.int().optional().describe("mails waiting or in retry, where that is the reason"),
    steps: z
      .array(z.object({ step: z.string(), ok: z.boolean(), detail: z.string(), ms: z.number() }))
      .optional()
      .describe("of a verification that failed"),
  })
  .meta({ id: "Problem", description: "RFC 9457 problem details" });
export type ProblemBody = z.infer<typeof problemSchema>;

export class Problem {
  readonly status: number;
  readonly body: ProblemBody;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, detail: string, more: Partial<ProblemBody> & { headers?: Record<string, string> } = {}) {
    const { headers, ...members } = more;
    this.status = status;
    this.headers = headers ?? {};
    this.body = { type: "about:blank", title: STATUS_CODES[status] ?? "Error", status, detail, ...members };
  }
}

export function badInput(errors: Mistake[]): Problem {
  const [first] = errors;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  return new Problem(422, `${first?.path ?? "."}: ${first?.message ?? "not valid"}${more}`, { errors });
}

export function notFound(what: string): Problem {
  return new Problem(404, `there is no ${what}`);
}

export function conflict(detail: string, more: Pick<ProblemBody, "waiting"> = {}): Problem {
  return new Problem(409, detail, more);
}

export function unavailable(detail: string): Problem {
  return new Problem(503, detail, { headers: { "retry-after": "5" } });
}
