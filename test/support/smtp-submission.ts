// Submits one message over SMTP, as an application does: STARTTLS, AUTH, envelope and headers as the test says.
import { createTransport } from "nodemailer";
import type { SystemClient, TestAccount } from "./system-client.ts";

export interface Submission {
  /** The envelope sender; "" is the null reverse-path. */
  from: string;
  to: readonly string[];
  headers?: Readonly<Record<string, string>>;
  text?: string;
}

/** Resolves with the server's reply to the final dot. */
export async function submitBySmtp(
  system: Pick<SystemClient, "smtpPort">,
  account: TestAccount,
  { from, to, headers = {}, text = "Hello" }: Submission,
): Promise<string> {
  const transport = createTransport({
    host: "127.0.0.1",
    port: system.smtpPort,
    requireTLS: true,
    tls: { rejectUnauthorized: false },
    auth: { user: account.name, pass: account.password },
  });
  const lines = { Subject: "A test", From: account.sender, To: to.join(", "), ...headers };
  const block = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  try {
    const info = await transport.sendMail({ envelope: { from, to: [...to] }, raw: `${block.join("")}\r\n${text}\r\n` });
    return info.response;
  } finally {
    transport.close();
  }
}
