// A JobRequest for tests: the least that is valid, and what a test adds.
import type { TestAccount } from "./system-client.ts";

export interface JobParts {
  subject?: object;
  body?: object;
  mail?: object;
  [other: string]: unknown;
}

/** A job of the account to these addresses, one entry each. */
export function jobOf(account: TestAccount, recipients: readonly string[], parts: JobParts = {}): object {
  const { subject, body, mail, ...others } = parts;
  return {
    subject: { content: "A test", ...subject },
    body: { contentType: "text/plain", content: "Hello", ...body },
    recipients: recipients.map((email) => ({ mail: { to: [{ email }] } })),
    mail: { from: { email: account.sender }, ...mail },
    ...others,
  };
}
