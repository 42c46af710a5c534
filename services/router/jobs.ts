// The actor of jobs: gathers what a batch of jobs needs (one suppression look-up), decides, lists new lanes, and publishes.
import type { BatchActor, Delivery, Verdict } from "#shared/broker/actor.ts";
import type { Clock } from "#shared/clock.ts";
import { sizeOfMails } from "#shared/contracts/job-size.ts";
import type { JobMessage, MailMessage } from "#shared/contracts/mail.ts";
import { jobMessageSchema } from "#shared/contracts/mail.ts";
import type { Log } from "#shared/log.ts";
import type { Configuration, ConfigurationPort } from "#shared/routing/configuration.ts";
import type { Lane } from "#shared/routing/lane.ts";
import type { Suppression, Suppressions } from "#shared/store/suppressions.ts";
import { consequencesOf } from "./consequences.ts";
import type { RouterMetrics } from "./metrics.ts";
import type { NewLanes } from "./new-lanes.ts";
import type { RecipientRules } from "#shared/routing/recipient.ts";
import type { JobSigner } from "./sign.ts";
import type { MailFate, Recipient } from "./split.ts";
import { readRecipients, splitJob, suppressionKeysOf } from "./split.ts";

export interface JobPorts {
  configuration: ConfigurationPort;
  suppressions: Suppressions;
  newLanes: Pick<NewLanes, "list" | "whenMade">;
  rules: RecipientRules;
  clock: Clock;
  log: Log;
  metrics: RouterMetrics;
  signer: JobSigner;
}

/** Of the batches in hand together: each recipient becomes three messages, which are published before the next batch begins. */
const MOST_RECIPIENTS = 2_000;
/** Without the content that a job's mails share; a larger one counts for several recipients. */
const LARGE_MAIL = 64 * 1024;

/** What a busy router's job waits for others to be looked up with it. */
const BUSY_MS = 30;

export function createJobsActor(
  ports: JobPorts,
  size: { mailbox: string; prefetch: number; batch: number },
): BatchActor<JobMessage> {
  return {
    mailbox: size.mailbox,
    contracts: { job: jobMessageSchema },
    prefetch: size.prefetch,
    batch: { max: size.batch, lingerMs: 0, everyMs: BUSY_MS, load: { of: loadOf, most: MOST_RECIPIENTS } },
    handleBatch: (deliveries) => handleJobs(ports, deliveries),
  };
}

/** In recipients. */
export function loadOf(job: JobMessage): number {
  const recipients = job.entries.reduce((sum, { addresses }) => sum + addresses.length, 0);
  return Math.max(recipients, Math.ceil(sizeOfMails(job) / LARGE_MAIL));
}

interface GatheredJob {
  delivery: Delivery<JobMessage>;
  recipients: readonly Recipient[];
}

async function handleJobs(ports: JobPorts, deliveries: readonly Delivery<JobMessage>[]): Promise<Verdict[]> {
  const gathered = deliveries.map((delivery) => ({
    delivery,
    recipients: readRecipients(delivery.message, ports.rules),
  }));
  const suppressions = await ports.suppressions.find(
    gathered.flatMap(({ delivery, recipients }) => suppressionKeysOf(delivery.message.head, recipients)),
  );
  const configuration = await configurationFor(deliveries, ports);
  const split = await Promise.all(
    gathered.map((job) => {
      const { message, content } = job.delivery;
      const fates = splitOne(job, { ports, suppressions, configuration });
      return ports.signer.sign(fates, { message, content }, configuration);
    }),
  );
  await Promise.all([
    ports.suppressions.renew(split.flatMap((fates) => renewalsOf(fates))),
    ports.newLanes.list(split.flatMap((fates) => lanesOf(fates))),
  ]);
  return split.map((fates, index) => verdictOf(fates, ports, gathered[index]));
}

/** The configuration as it is now; an account that ingest knew is not missing from it. */
export async function configurationFor(
  deliveries: readonly Delivery<JobMessage | MailMessage>[],
  { configuration }: Pick<JobPorts, "configuration">,
): Promise<Configuration> {
  const accounts = new Set(deliveries.map(({ message }) => message.head.account));
  const isKnown = [...accounts].every((name) => configuration.current().account(name) !== undefined);
  return isKnown ? configuration.current() : configuration.confirmed();
}

function splitOne(
  { delivery, recipients }: GatheredJob,
  ground: { ports: JobPorts; suppressions: ReadonlyMap<string, Suppression>; configuration: Configuration },
): MailFate[] {
  const { ports, configuration, suppressions } = ground;
  return splitJob(delivery.message, {
    recipients,
    suppressions,
    configuration,
    forbiddenLocalParts: ports.rules.forbiddenLocalParts,
    contentBytes: delivery.content.length,
  });
}

function verdictOf(fates: readonly MailFate[], ports: JobPorts, job: GatheredJob | undefined): Verdict {
  const moment = {
    now: ports.clock.now(),
    mails: fates.length,
    content: job?.delivery.content ?? Buffer.alloc(0),
  };
  for (const fate of fates) ports.metrics.countFate(fate);
  ports.log.debug({ job: job?.delivery.message.head.jobId, mails: fates.length }, "router.split");
  const publish = fates.flatMap((fate) => consequencesOf(fate, moment));
  return { kind: "done", publish, after: ports.newLanes.whenMade(lanesOf(fates)) };
}

function lanesOf(fates: readonly MailFate[]): Lane[] {
  return fates.flatMap((fate) => (fate.kind === "routed" ? [fate.lane] : []));
}

function renewalsOf(fates: readonly MailFate[]): { id: string; until: Date }[] {
  return fates.flatMap((fate) => (fate.kind === "dropped" && fate.renewal !== undefined ? [fate.renewal] : []));
}
