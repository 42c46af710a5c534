// waypost explain · send · trace · mails
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import type { Clock } from "#shared/clock.ts";
import { systemClock } from "#shared/clock.ts";
import type { CliContext, Verbs } from "../context.ts";
import { collect, encode, given, show } from "../context.ts";
import { isNotFound, Misuse, submitJob } from "../client.ts";
import type { Row } from "../print.ts";
import { pointLine, table, timeline } from "../print.ts";

interface ExplainAnswer {
  route?: { kind: string; host?: string; port?: number; sourceIp?: string; tls?: string };
  dropped?: { subType: string };
  because: string[];
}

function explained({ route, dropped, because }: ExplainAnswer): string {
  const where = route?.kind === "relay" ? `relay ${route.host}:${route.port} (tls ${route.tls})` : "the recipient's MX";
  const from = route?.sourceIp === undefined ? "" : `, from ${route.sourceIp}`;
  const head = dropped === undefined ? `→ ${where}${from}` : `→ dropped: ${dropped.subType}`;
  return [head, ...because.map((reason) => `  because ${reason}`)].join("\n");
}

function addExplain({ program, run }: Verbs): void {
  program
    .command("explain")
    .description("which way such a mail would take, and why")
    .requiredOption("--account <account>")
    .requiredOption("--from <address>")
    .requiredOption("--to <address>")
    .action((flags: { account: string; from: string; to: string }) =>
      run(async ({ client, output }) => show(output, await client.get("/v1/explain", { ...flags }), explained)),
    );
}

interface SendFlags {
  account?: string;
  password?: string;
  url?: string;
  from?: string;
  to: string[];
  cc: string[];
  bcc: string[];
  subject?: string;
  text?: string;
  html?: string;
}

function jobOf(flags: SendFlags): unknown {
  const addresses = (emails: readonly string[]): { email: string }[] | undefined =>
    emails.length === 0 ? undefined : emails.map((email) => ({ email }));
  return given({
    subject: { content: flags.subject ?? "Hello from Waypost" },
    body: {
      contentType: flags.html === undefined ? "text/plain" : "text/html",
      content: flags.html ?? flags.text ?? "Hello.",
    },
    alternative: flags.html !== undefined && flags.text !== undefined ? { content: flags.text } : undefined,
    recipients: [{ mail: given({ to: addresses(flags.to), cc: addresses(flags.cc), bcc: addresses(flags.bcc) }) }],
    mail: { from: { email: flags.from } },
  });
}

async function send({ system, output }: CliContext, file: string | undefined, flags: SendFlags): Promise<void> {
  const account = flags.account ?? system.account;
  const password = flags.password ?? system.password;
  const url = flags.url ?? system.ingestUrl;
  if (account === undefined || password === undefined || url === undefined) {
    throw new Misuse("say where and as whom: --url, --account and --password");
  }
  const { from, to, cc, bcc, subject, text, html } = flags;
  if (file !== undefined && [from, ...to, ...cc, ...bcc, subject, text, html].some((flag) => flag !== undefined)) {
    throw new Misuse("the job is in the file: nothing of it is said by flags");
  }
  if (file === undefined && (flags.from === undefined || flags.to.length === 0)) {
    throw new Misuse("give a job file, or --from and --to");
  }
  const job: unknown = file === undefined ? jobOf(flags) : JSON.parse(readFileSync(file === "-" ? 0 : file, "utf8"));
  const answer = await submitJob({ url, account, password }, job);
  show(
    output,
    answer,
    ({ jobId }: { jobId: string }) => `job ${jobId}\nfollow it with: waypost trace ${jobId} --follow`,
  );
}

function addSend({ program, run }: Verbs): void {
  program
    .command("send [file]")
    .description("hand in a job: a JobRequest from a JSON file (- is standard input) or from flags")
    .option("--url <url>", "of ingest")
    .option("--account <account>")
    .option("--password <password>")
    .option("--from <address>")
    .option("--to <address>", "repeatable", collect, [])
    .option("--cc <address>", "repeatable", collect, [])
    .option("--bcc <address>", "repeatable", collect, [])
    .option("--subject <text>")
    .option("--text <text>")
    .option("--html <html>")
    .action((file: string | undefined, flags: SendFlags) => run((context) => send(context, file, flags)));
}

interface MailView {
  mailId: string;
  email: string;
  state: string;
  trackingPoints: { meta: { tag: string } }[];
}

interface Traced {
  mails: MailView[];
  /** How many there are to be: the record may still lack some. */
  count: number;
}

async function mailsOf({ client }: CliContext, id: string): Promise<Traced> {
  try {
    return { mails: [(await client.get(`/v1/mails/${encode(id)}`)) as MailView], count: 1 };
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  const job = (await client.get(`/v1/jobs/${encode(id)}`)) as { mails: { mailId: string }[]; mailCount?: number };
  const mails = job.mails.map(async ({ mailId }) => (await client.get(`/v1/mails/${encode(mailId)}`)) as MailView);
  return { mails: await Promise.all(mails), count: job.mailCount ?? mails.length };
}

const FOLLOW_EVERY_MS = 500;
/** A job that was accepted a moment ago is not recorded yet. */
const RECORDED_MS = 5_000;

async function recordedMailsOf(context: CliContext, id: string, untilMs: number): Promise<Traced> {
  try {
    return await mailsOf(context, id);
  } catch (error) {
    if (!isNotFound(error) || systemClock.nowMs() > untilMs) throw error;
    return { mails: [], count: 1 };
  }
}

/** Prints each new tracking point until every mail has ended. */
export async function follow(context: CliContext, id: string, clock: Clock = systemClock): Promise<void> {
  const shown = new Set<string>();
  const recordedMs = clock.nowMs() + RECORDED_MS;
  for (;;) {
    const { mails, count } = await recordedMailsOf(context, id, recordedMs);
    for (const { mailId, email, trackingPoints } of mails) {
      for (const point of trackingPoints) {
        const { tag } = point.meta;
        if (!shown.has(tag))
          context.output.write(
            context.output.isJson ? JSON.stringify({ mailId, point }) : `${email}${pointLine(point)}`,
          );
        shown.add(tag);
      }
    }
    if (mails.length >= count && mails.every((mail) => mail.state === "FINISHED")) return;
    await clock.sleep(FOLLOW_EVERY_MS);
  }
}

function addTrace({ program, run }: Verbs): void {
  program
    .command("trace <id>")
    .description("the timeline of a mail, or of every mail of a job")
    .option("--follow", "go on until every mail has ended")
    .action((id: string, flags: { follow?: boolean }) =>
      run(async (context) => {
        if (flags.follow === true) return follow(context, id);
        const { mails } = await mailsOf(context, id);
        show(context.output, mails, (items: MailView[]) => items.map(timeline).join("\n\n"));
      }),
    );
}

function addMails(program: Command, run: Verbs["run"]): void {
  const names = ["account", "recipient", "sender", "state", "route", "queue-id", "since", "until", "cursor", "limit"];
  const command = program.command("mails").description("find mails, newest first");
  for (const name of names) command.option(`--${name} <value>`);
  command.action((flags: Record<string, string>) =>
    run(async ({ client, output }) => {
      const answer = await client.get("/v1/mails", flags);
      show(output, answer, ({ items, cursor }: { items: Row[]; cursor?: string }) => {
        const rows = table(items, ["mailId", "account", "email", "from", "state"], "no mails found");
        return cursor === undefined ? rows : `${rows}\nmore: --cursor ${cursor}`;
      });
    }),
  );
}

export function addMailVerbs(verbs: Verbs): void {
  addExplain(verbs);
  addSend(verbs);
  addTrace(verbs);
  addMails(verbs.program, verbs.run);
}
