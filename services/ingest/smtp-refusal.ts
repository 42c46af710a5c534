// A refusal in an SMTP session: reply code, enhanced status code (RFC 3463) and a text that names the fault.
import { MAX_MAIL_BYTES } from "#shared/contracts/job-request.ts";
import type { Problem } from "#shared/contracts/problem.ts";

export interface Refusal {
  code: number;
  enhanced: string;
  text: string;
}

export const refusal = (code: number, enhanced: string, text: string): Refusal => ({ code, enhanced, text });

/** As smtp-server takes it; the connection sends the enhanced status code that the text begins with. */
export class SmtpRefusal extends Error {
  override readonly name = "SmtpRefusal";
  readonly responseCode: number;

  constructor({ code, enhanced, text }: Refusal, cause?: unknown) {
    super(`${enhanced} ${text}`, cause === undefined ? {} : { cause });
    this.responseCode = code;
  }
}

export const MESSAGE_TOO_BIG = refusal(552, "5.3.4", `the message is larger than ${MAX_MAIL_BYTES} bytes`);
export const BUSY = refusal(451, "4.3.0", "not accepted, please try again later");
export const AUTHENTICATION_REQUIRED = refusal(530, "5.7.0", "authentication required");

/** A problem in the words of SMTP (operator contract, REST submission: the status with its SMTP counterpart). */
export function refusalOf(problem: Problem): Refusal {
  const text = problem.errors?.map(({ path, message }) => `${path}: ${message}`).join("; ") ?? problem.detail;
  const isSenderDomain = problem.errors?.some(({ path }) => path === "mail.from.email") === true;
  if (isSenderDomain || problem.status === 401 || problem.status === 403) return refusal(550, "5.7.1", text);
  if (problem.status === 413) return refusal(552, "5.3.4", text);
  if (problem.status === 429) return refusal(451, "4.7.1", text);
  if (problem.status === 409 || problem.status >= 500) return BUSY;
  return refusal(554, "5.6.0", text);
}
