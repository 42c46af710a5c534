// The crash points of every service: a kill between one step and the next of what it does with a message (design, Rules of
// the actor runtime and Ledger). Where it is killed, it has done all that comes before.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { connect } from "amqplib";
import type { ServiceName } from "#shared/broker/topology.ts";
import { EXCHANGES, QUEUES, ROUTING_KEYS } from "#shared/broker/topology.ts";
import { mailsOf } from "#shared/store/mails.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import { testBacking } from "#test/support/backing.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailScript } from "#test/support/mail-server.ts";
import type { Ground } from "./ground.ts";
import { RECIPIENT_DOMAIN } from "./ground.ts";
import { keepsPromise } from "./keeps-promise.ts";
import type { Course, Fault } from "./scenario.ts";

const REACHED_MS = 30_000;
const SUBMISSIONS = 8;

export interface CrashPoint {
  service: ServiceName;
  /** What is done by then, and what is not. */
  name: string;
  /** As crashing-process.ts reads it. */
  before: string;
  /** Played in the short form too. */
  isShort?: true;
  letters?: number;
  /** What brings the service there, beside the load. */
  provoke?(ground: Ground): Promise<void>;
}

/** Names the point, waits until the service has died there, and starts it again. */
async function crash(ground: Ground, course: Course, point: CrashPoint & { directory: string }): Promise<void> {
  const { service, directory } = point;
  const { system } = ground;
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, service), point.before);
  await point.provoke?.(ground);
  await eventually(() => !system.process(service).isRunning, REACHED_MS);
  if (service === "delivery") course.mayDouble(ground.inFlightAtMost());
  await system.restart(service);
}

/** Of the load's mails, some are put off once and some refused for good, so that every mailbox gets something. */
function troubled(script: MailScript): MailScript {
  const seen = new Set<string>();
  return {
    ...script,
    rcpt: (address) => {
      const index = Number(/^load-[^-]+-(\d+)-/.exec(address)?.[1] ?? 0);
      if (index % 10 === 9) return { code: 550, text: "5.1.1 nobody here" };
      if (index % 4 !== 1 || seen.has(address)) return undefined;
      seen.add(address);
      return { code: 451, text: "4.7.1 come again" };
    },
  };
}

export function crashAt(point: CrashPoint, directory: string): Fault {
  let script: MailScript | undefined;
  return {
    name: `${point.service} dies: ${point.name}`,
    expected: { ends: ["DELIVERED", "BOUNCED"] },
    ...(point.letters === undefined ? {} : { letters: point.letters }),
    before: async ({ relay }) => {
      script ??= relay.script;
      relay.script = troubled(script);
    },
    apply: (ground, course) => crash(ground, course, { ...point, directory }),
    after: async ({ relay }) => {
      if (script !== undefined) relay.script = script;
    },
  };
}

async function toBroker(
  ground: Ground,
  messages: readonly { exchange: string; key: string; body: string; options: object }[],
): Promise<void> {
  const connection = await connect(ground.system.amqpUrl);
  const channel = await connection.createConfirmChannel();
  for (const { exchange, key, body, options } of messages) channel.publish(exchange, key, Buffer.from(body), options);
  await channel.waitForConfirms();
  await connection.close();
}

/** Submissions over the broker; each must come to one mail at the relay and in the record. */
export function crashAtSubmissions(directory: string): Fault {
  const point: CrashPoint = {
    service: "ingest",
    name: "a submission's job is published, the submission not acknowledged",
    before: `ack ${QUEUES.submissions} 1`,
  };
  const recipients = Array.from({ length: SUBMISSIONS }, () => `${uniqueLabel("over-amqp")}@${RECIPIENT_DOMAIN}`);
  return {
    ...crashAt(point, directory),
    apply: async (ground, course) => {
      const user = new URL(ground.system.amqpUrl).username;
      const account = await ground.system.account({ brokerUser: user });
      await ground.system.relay(account, ground.relay);
      const submissions = recipients.map((recipient) => ({
        exchange: EXCHANGES.submissions,
        key: ROUTING_KEYS.submission,
        body: JSON.stringify(jobOf(account, [recipient])),
        options: { userId: user, messageId: uniqueLabel("key"), contentType: "application/json", persistent: true },
      }));
      await crash(ground, course, { ...point, directory, provoke: () => toBroker(ground, submissions) });
      const times = (recipient: string): number => ground.relay.recipients.filter((to) => to === recipient).length;
      await eventually(() => recipients.every((recipient) => times(recipient) >= 1), REACHED_MS);
      const records = await mailsOf(ground.store).countDocuments({ recipient: { $in: recipients } });
      const sent = recipients.map(times);
      if (records !== SUBMISSIONS || sent.some((count) => count !== 1))
        throw new Error(`${SUBMISSIONS} submissions came to ${records} mails, sent ${sent.join(", ")} times`);
    },
  };
}

const POISON = { exchange: "", key: QUEUES.due, body: "no JSON {", options: { type: "mail", persistent: true } };

/** In the order of a mail's way. */
export const CRASH_POINTS: readonly CrashPoint[] = [
  { service: "ingest", name: "key written, job not published", before: `publish ${EXCHANGES.jobs} 3` },
  {
    service: "ingest",
    name: "job confirmed, key not done, not answered",
    before: "bulkWrite idempotency 3",
    isShort: true,
  },
  { service: "router", name: "job split, nothing published", before: `publish ${EXCHANGES.events} 3` },
  { service: "router", name: "points published, mail not", before: `publish ${EXCHANGES.mails} 3` },
  {
    service: "router",
    name: "mails published, job not acknowledged",
    before: `ack ${QUEUES.jobsInteractive} 2`,
    isShort: true,
  },
  { service: "router", name: "due mail published, not acknowledged", before: `ack ${QUEUES.due} 1` },
  { service: "router", name: "bounce listed, not acknowledged", before: `ack ${QUEUES.bounces} 1` },
  { service: "delivery", name: "accepted by the relay, not recorded", before: "insertMany ledger 3", isShort: true },
  { service: "delivery", name: "outcome recorded, not told", before: `publish ${EXCHANGES.events} 3` },
  {
    service: "delivery",
    name: "outcome told to applications, not to the record",
    before: `publish ${EXCHANGES.points} 3`,
  },
  { service: "delivery", name: "outcome told, mail not acknowledged", before: "ack delivery.relay. 2" },
  { service: "retry-scheduler", name: "decided, nothing published", before: `publish ${EXCHANGES.events} 2` },
  { service: "retry-scheduler", name: "told, mail not on its tier", before: "publish waypost.wait. 2" },
  {
    service: "retry-scheduler",
    name: "mail on its tier, not acknowledged",
    before: `ack ${QUEUES.attempts} 1`,
    isShort: true,
  },
  { service: "notifier", name: "point taken, not recorded", before: "bulkWrite mails 2" },
  {
    service: "notifier",
    name: "points recorded, no batch published",
    before: `publish ${EXCHANGES.notifications} 3`,
    isShort: true,
  },
  {
    service: "notifier",
    name: "batch published, points not acknowledged",
    before: `ack ${QUEUES.events} 2`,
    isShort: true,
  },
  { service: "notifier", name: "batch POSTed, not acknowledged", before: `ack ${QUEUES.batches} 2` },
  {
    service: "control",
    name: "dead letter kept, not acknowledged",
    before: `ack ${QUEUES.deadLetters} 1`,
    isShort: true,
    letters: 1,
    provoke: (ground) => toBroker(ground, [POISON]),
  },
];

/** Kills a service at each of the points: nothing is lost, and what is doubled says why. */
export function survives(points: readonly CrashPoint[], options: { bySubmission: boolean }): void {
  const directory = join(testBacking().directory, uniqueLabel("crash-points"));
  const loaded = pathToFileURL(join(import.meta.dirname, "crashing-process.ts")).href;
  keepsPromise(
    {
      title: "Crash points",
      env: { NODE_OPTIONS: `--import ${loaded}`, CRASH_POINTS: directory },
      load: { jobs: 60, perSecond: 60 },
    },
    [
      ...(options.bySubmission ? [crashAtSubmissions(directory)] : []),
      ...points.map((point) => crashAt(point, directory)),
    ],
  );
}
