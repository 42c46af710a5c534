// What feeds the peers: Postfix's smtp-source over SMTP (the same for all), and for Waypost also REST and the broker.
import { spawn } from "node:child_process";
import { Agent, request } from "undici";

export interface Load {
  mails: number;
  /** Parallel sessions or requests. */
  sessions: number;
  /** Bytes of the mail's body. */
  bytes: number;
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
      SENDER,
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
  url: string;
  user: string;
  password: string;
}

export function restJob(bytes: number, recipients: readonly string[] = [RECIPIENT]): object {
  const line = "The quick brown fox jumps over the lazy dog, and then it does so once more.\r\n";
  return {
    subject: { content: "Your order" },
    body: { contentType: "text/plain", content: line.repeat(Math.ceil(bytes / line.length)).slice(0, bytes) },
    recipients: recipients.map((email) => ({ mail: { to: [{ email }] } })),
    mail: { from: { email: SENDER } },
  };
}

/** POSTs `load.mails` jobs, `load.sessions` at a time; resolves with the seconds until the last 202. */
export async function feedRest(target: RestTarget, load: Load): Promise<number> {
  const agent = new Agent({ connections: load.sessions, pipelining: 1 });
  const body = JSON.stringify(restJob(load.bytes));
  const headers = {
    "content-type": "application/json",
    authorization: `Basic ${Buffer.from(`${target.user}:${target.password}`).toString("base64")}`,
  };
  let left = load.mails;
  const started = performance.now();
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const answer = await request(target.url, { method: "POST", dispatcher: agent, headers, body });
      const text = await answer.body.text();
      if (answer.statusCode !== 202) throw new Error(`ingest answered ${answer.statusCode}: ${text.slice(0, 300)}`);
    }
  };
  await Promise.all(Array.from({ length: load.sessions }, worker));
  const seconds = (performance.now() - started) / 1000;
  await agent.close();
  return seconds;
}
