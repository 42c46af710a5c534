// Counts at the far ends what became of a load: the record, the mail servers, the endpoint, the queues, the metrics.
import { METRICS } from "#shared/telemetry/names.ts";
import { SERVICES } from "#shared/broker/topology.ts";
import type { MailRecord } from "#shared/store/mails.ts";
import { mailsOf } from "#shared/store/mails.ts";
import { eventually } from "#test/support/eventually.ts";
import { connectManagement } from "#test/support/management.ts";
import type { Ground } from "./ground.ts";
import type { AcceptedJob, Load } from "./customer.ts";

const SETTLED_MS = 90_000;
const DRAINED_MS = 20_000;
const LISTED_MS = 90_000;
const POLL = { attempts: 1, points: 1, state: 1, recipient: 1, late: 1, jobId: 1 } as const;

/** What a fault leads one to expect of the mails. */
export interface Expected {
  /** The types that a mail may end with. */
  ends: readonly string[];
  /** Whether mails may leave by MX: their relay was removed. */
  byMxToo: boolean;
  /** How many the exchanger had before. */
  strays: number;
  /** Jobs submitted before may have been in a queue that was deleted: the one fault that may cost mails. */
  exposedUntilMs: number;
}

export const USUAL: Omit<Expected, "strays" | "exposedUntilMs"> = { ends: ["DELIVERED"], byMxToo: false };

export interface Verdict {
  jobs: number;
  mails: number;
  /** Mails that a deleted queue took with it, as far as it may. */
  lost: number;
  /** Mails that the relay accepted more than once, each with an uncertain attempt in the record. */
  doubles: number;
  /** Notifications that came again with a tag that was told before. */
  repeats: number;
  refusals: Readonly<Record<string, number>>;
  /** What contradicts the promise; must be empty. */
  broken: readonly string[];
}

type Seen = Pick<MailRecord, "_id" | keyof typeof POLL>;

async function recorded(ground: Ground, jobs: readonly AcceptedJob[]): Promise<Seen[]> {
  const jobId = { $in: jobs.map((job) => job.jobId) };
  return mailsOf(ground.store).find({ jobId }).project<Seen>(POLL).toArray();
}

const endsOf = (mail: Seen): Seen["points"] => mail.points.filter(({ event }) => event.state === "FINISHED");

/** Problems of the record, each in a few words. */
function recordProblems(mails: readonly Seen[], wanted: readonly string[], allowed: readonly string[]): string[] {
  const byRecipient = Map.groupBy(mails, (mail) => mail.recipient);
  return wanted.flatMap((recipient) => {
    const found = byRecipient.get(recipient) ?? [];
    const [mail] = found;
    if (mail === undefined) return [`${recipient}: not in the record`];
    if (found.length > 1) return [`${recipient}: ${found.length} mails in the record`];
    const ends = endsOf(mail);
    if (ends.length !== 1) return [`${recipient}: ${ends.length} ends (${mail.state})`];
    const type = ends[0]?.event.type ?? "";
    if (!allowed.includes(type)) return [`${recipient}: ended as ${type}`];
    return mail.late === undefined ? [] : [`${recipient}: a second, different end`];
  });
}

const isDelivered = (mail: Seen): boolean => endsOf(mail)[0]?.event.type === "DELIVERED";

/** Each delivered mail at its server at least once, others not at all; more often only where the record says why. */
function serverProblems(ground: Ground, mails: readonly Seen[]): { doubles: number; problems: string[] } {
  const { relay, exchanger } = ground;
  const got = Map.groupBy(
    [...relay.accepted, ...exchanger.accepted].flatMap(({ to }) => to),
    (to) => to,
  );
  const problems: string[] = [];
  let doubles = 0;
  for (const mail of mails) {
    const times = got.get(mail.recipient)?.length ?? 0;
    const wanted = isDelivered(mail) ? 1 : 0;
    if (times < wanted) problems.push(`${mail.recipient}: told as DELIVERED, never at the server`);
    if (times <= wanted) continue;
    doubles += 1;
    const isExplained = mail.attempts.some(({ result }) => result.uncertain === true);
    if (!isExplained) problems.push(`${mail.recipient}: ${times} times at the server, no uncertain attempt`);
  }
  return { doubles, problems };
}

/** The ends that the endpoint has acknowledged, by mail: their tags, every telling. */
function toldEnds(ground: Ground, mails: readonly Seen[]): Map<string, string[]> {
  const ids = new Set(mails.map((mail) => mail._id));
  const told = new Map<string, string[]>();
  for (const { meta } of ground.endpoint.acknowledged) {
    if (!ids.has(meta.mail.id) || meta.event.state !== "FINISHED") continue;
    told.set(meta.mail.id, [...(told.get(meta.mail.id) ?? []), meta.tag]);
  }
  return told;
}

function endpointProblems(ground: Ground, mails: readonly Seen[]): { repeats: number; problems: string[] } {
  const told = toldEnds(ground, mails);
  let repeats = 0;
  const problems = mails.flatMap((mail) => {
    const tags = told.get(mail._id) ?? [];
    repeats += Math.max(0, tags.length - 1);
    if (tags.length === 0) return [`${mail.recipient}: its end was never told`];
    return tags.every((tag) => tag === endsOf(mail)[0]?.tag) ? [] : [`${mail.recipient}: told with different tags`];
  });
  return { repeats, problems };
}

/** Samples of a metric over all running processes, added up. */
async function metricSum(ground: Ground, name: string): Promise<number> {
  const prefix = `${name.replaceAll(".", "_")}_total`;
  const texts = await Promise.all(
    ground.system.plan.replicas.map(({ service, replica }) => ground.system.metrics(service, replica).catch(() => "")),
  );
  const lines = texts.flatMap((text) => text.split("\n")).filter((line) => line.startsWith(prefix));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(1) ?? 0), 0);
}

async function metricProblems(ground: Ground): Promise<string[]> {
  const names = [METRICS.late, METRICS.failClosed, METRICS.swept];
  const sums = await Promise.all(names.map(async (name) => [name, await metricSum(ground, name)] as const));
  return sums.filter(([, sum]) => sum > 0).map(([name, sum]) => `${name} is ${sum}`);
}

async function heldQueues(ground: Ground): Promise<string[]> {
  const path = `/queues/${encodeURIComponent(ground.vhost)}?disable_stats=true&enable_queue_totals=true`;
  const management = connectManagement(ground.system.managementUrl);
  const queues = (await management.call("GET", path)) as { name: string; messages?: number }[];
  return queues
    .filter(({ messages = 0 }) => messages > 0)
    .map(({ name, messages }) => `${name} holds ${messages ?? 0}`);
}

/** What queues still hold at the end of their time. The broker's figures are some seconds old: one that holds something may be empty. */
async function undrainedQueues(ground: Ground): Promise<string[]> {
  let held: string[] = [];
  await eventually(async () => {
    held = await heldQueues(ground);
    return held.length === 0;
  }, DRAINED_MS).catch(() => undefined);
  return held;
}

export async function deadLettersOf(ground: Ground): Promise<{ queue: string }[]> {
  const { body } = await ground.system.control.get<{ items: { queue: string }[] }>("/v1/dead-letters?limit=200");
  return body.items;
}

/** Waits until all is over, as far as it ever will be; `wanted` mails must come to an end, and all that are known. */
async function settle(ground: Ground, jobs: readonly AcceptedJob[], wanted: number): Promise<Seen[]> {
  await eventually(async () => {
    const mails = await recorded(ground, jobs);
    const ended = mails.filter((mail) => endsOf(mail).length > 0).length;
    return ended >= Math.max(wanted, mails.length) && toldEnds(ground, mails).size >= ended;
  }, SETTLED_MS).catch(() => undefined);
  await undrainedQueues(ground);
  return recorded(ground, jobs);
}

/** Jobs that went with their queue: `audit` lists each, a minute after its acceptance. */
async function unlistedProblems(ground: Ground, jobs: readonly AcceptedJob[]): Promise<string[]> {
  const unlisted = async (): Promise<AcceptedJob[]> => {
    const { body } = await ground.system.control.get<{ offenders: { jobId: string }[] }>("/v1/audit/promise");
    const listed = new Set(body.offenders.map(({ jobId }) => jobId));
    return jobs.filter(({ jobId }) => !listed.has(jobId));
  };
  if (jobs.length === 0) return [];
  await eventually(async () => (await unlisted()).length === 0, LISTED_MS).catch(() => undefined);
  return (await unlisted()).map(({ jobId }) => `${jobId}: gone with its queue, and not listed by audit`);
}

async function strayProblems(ground: Ground, expected: Expected): Promise<string[]> {
  const ended = SERVICES.filter((service) => !ground.system.process(service).isRunning);
  const strays = expected.byMxToo ? 0 : ground.exchanger.mails.length - expected.strays;
  return [
    ...(await undrainedQueues(ground)),
    ...(strays > 0 ? [`${strays} relayed mails left by MX`] : []),
    ...ended.map((service) => `${service} has ended`),
  ];
}

export async function judge(ground: Ground, load: Load, expected: Expected): Promise<Verdict> {
  const jobs = [...load.accepted];
  const accepted = jobs.flatMap((job) => job.recipients);
  const exposed = jobs.flatMap((job) => (job.submittedMs < expected.exposedUntilMs ? job.recipients : []));
  const known = await settle(ground, jobs, accepted.length - exposed.length);
  const ended = new Set(known.flatMap((mail) => (endsOf(mail).length > 0 ? mail.recipient : [])));
  const lost = new Set(exposed.filter((recipient) => !ended.has(recipient)));
  const mails = known.filter((mail) => !lost.has(mail.recipient));
  const wanted = accepted.filter((recipient) => !lost.has(recipient));
  const servers = serverProblems(ground, mails);
  const endpoint = endpointProblems(ground, mails);
  return {
    jobs: jobs.length,
    mails: accepted.length,
    lost: lost.size,
    doubles: servers.doubles,
    repeats: endpoint.repeats,
    refusals: Object.fromEntries(load.refusals),
    broken: [
      ...recordProblems(mails, wanted, expected.ends),
      ...servers.problems,
      ...endpoint.problems,
      ...(await metricProblems(ground)),
      ...(await strayProblems(ground, expected)),
      ...(await unlistedProblems(
        ground,
        jobs.filter(({ recipients }) => recipients.some((recipient) => lost.has(recipient))),
      )),
      ...(load.unhelpful > 0 ? [`${load.unhelpful} times an answer from 500 on that was no 503 with Retry-After`] : []),
    ],
  };
}
