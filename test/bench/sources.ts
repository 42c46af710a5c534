// What feeds the peers: Postfix's smtp-source over SMTP (the same for all), and for Waypost also REST and the broker.
import { spawn } from "node:child_process";
import { openRestSession, requestOf } from "./rest-session.ts";

export interface Load {
  mails: number;
  /** Parallel sessions or requests. */
  sessions: number;
  /** Bytes of the mail's body. */
  bytes: number;
  /** The usual one by default; over REST several take turns. */
  senders?: readonly string[];
}

export const SENDER = "box@bench.example";
export const RECIPIENT = "someone@dest.example";

/** Sends `load.mails` mails over SMTP, many a session; resolves with the seconds that it took until the last 250. */
export async function feedSmtp(port: number, load: Load): Promise<number> {
  const started = performance.now();
  const source = spawn(
    "smtp-source",
    [
      "-d",
      "-s",
      String(load.sessions),
      "-l",
      String(load.bytes),
      "-m",
      String(load.mails),
      "-f",
      load.senders?.[0] ?? SENDER,
      "-t",
      RECIPIENT,
      `127.0.0.1:${port}`,
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let errors = "";
  source.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => source.on("close", resolve).on("error", reject));
  if (code !== 0) throw new Error(`smtp-source ended with ${code}: ${errors.slice(0, 500)}`);
  return (performance.now() - started) / 1000;
}

export interface RestTarget {
  /** Of each replica of ingest; the sessions take turns at them. */
  ports: readonly number[];
  user: string;
  password: string;
}

/** Text of so many bytes in lines of 78, as mail programs write it. */
export function bodyOf(bytes: number): string {
  const line = "The quick brown fox jumps over the lazy dog, and then it does so once more.\r\n";
  return line
    .repeat(Math.ceil(bytes / line.length))
    .slice(0, bytes)
    .replace(/\r$/, "");
}

export function restJob(bytes: number, mail: { sender?: string; recipients?: readonly string[] } = {}): object {
  const { sender = SENDER, recipients = [RECIPIENT] } = mail;
  return {
    subject: { content: "Your order" },
    body: { contentType: "text/plain", content: bodyOf(bytes) },
    recipients: recipients.map((email) => ({ mail: { to: [{ email }] } })),
    mail: { from: { email: sender } },
  };
}

/** POSTs `load.mails` jobs, `load.sessions` at a time; resolves with the seconds until the last 202. */
export async function feedRest(target: RestTarget, load: Load): Promise<number> {
  const authorization = `Basic ${Buffer.from(`${target.user}:${target.password}`).toString("base64")}`;
  const requests = (load.senders ?? [SENDER]).map((sender) =>
    requestOf(authorization, JSON.stringify(restJob(load.bytes, { sender }))),
  );
  let left = load.mails;
  const started = performance.now();
  const worker = async (port: number): Promise<void> => {
    const session = await openRestSession(port);
    try {
      while (left > 0) {
        left -= 1;
        await session.ask(requests[left % requests.length] ?? Buffer.alloc(0));
      }
    } finally {
      session.close();
    }
  };
  const { ports } = target;
  await Promise.all(Array.from({ length: load.sessions }, (_, index) => worker(ports[index % ports.length] ?? 0)));
  return (performance.now() - started) / 1000;
}
