// A system in which mails are handed to the router without a way in: what delivery does with them is what is looked at.
import { randomBytes } from "node:crypto";
import type { Broker, Outgoing } from "#shared/broker/actor.ts";
import { connectBroker } from "#shared/broker/broker.ts";
import { EXCHANGES, ROUTING_KEYS } from "#shared/broker/topology.ts";
import { systemClock } from "#shared/clock.ts";
import { mailIdOf } from "#shared/contracts/ids.ts";
import type { JobMessage } from "#shared/contracts/mail.ts";
import { createLog } from "#shared/log.ts";
import { eventually } from "./eventually.ts";
import type { MailRecord, TestAccount } from "./system-client.ts";
import type { System, SystemOptions } from "./system.ts";
import { startSystem } from "./system.ts";

export interface HandedJob {
  recipients: readonly string[];
  headers?: string;
  content?: string | Buffer;
  sender?: string;
  bulk?: boolean;
  /** From now. */
  deadlineMs?: number;
}

export interface DeliverySystem extends System {
  /** Hands a job to the router: the ids of its mails, in the order of its recipients. */
  hand(account: TestAccount, job: HandedJob): Promise<string[]>;
  /** Publishes as a service would. */
  publish(messages: readonly Outgoing[]): Promise<void>;
  /** The mail's record once `isSeen` says so. */
  seen(mailId: string, isSeen: (mail: MailRecord) => boolean, withinMs?: number): Promise<MailRecord>;
}

const HEADERS = "Subject: A test\r\nMIME-Version: 1.0\r\n";
const CONTENT = "Content-Type: text/plain\r\n\r\nHello\r\n";

function jobMessageOf(account: TestAccount, job: HandedJob): { message: JobMessage; content: Buffer } {
  const content = Buffer.from(job.content ?? CONTENT);
  const now = Date.now();
  const sender = job.sender ?? account.sender;
  const message: JobMessage = {
    version: 1,
    head: {
      jobId: randomBytes(16).toString("hex"),
      account: account.name,
      customerNo: "4711",
      receivedTs: new Date(now).toISOString(),
      deadline: new Date(now + (job.deadlineMs ?? 3_600_000)).toISOString(),
      envelopeFrom: sender,
      sender,
      from: sender,
      bulk: job.bulk ?? false,
    },
    entries: job.recipients.map((recipient) => ({ headers: job.headers ?? HEADERS, addresses: [recipient] })),
    content: { kind: "inline", bytes: content.length },
  };
  return { message, content };
}

async function handOver(broker: Broker, account: TestAccount, job: HandedJob): Promise<string[]> {
  const { message, content } = jobMessageOf(account, job);
  const routingKey = job.bulk === true ? ROUTING_KEYS.bulk : ROUTING_KEYS.interactive;
  await broker.publish([{ exchange: EXCHANGES.jobs, routingKey, type: "job", body: message, content }]);
  return job.recipients.map((_, index) => mailIdOf(message.head.jobId, index));
}

export async function startDeliverySystem(options: SystemOptions = {}): Promise<DeliverySystem> {
  const system = await startSystem({
    services: ["router", "delivery", "retry-scheduler", "notifier", "control"],
    ...options,
  });
  const broker = connectBroker({
    urls: system.amqpUrl.split(","),
    service: "test",
    log: createLog("test", "silent"),
    clock: systemClock,
  });
  await eventually(() => broker.ready);
  const running = { ...system };
  const delivery: DeliverySystem = Object.assign(system, {
    hand: (account: TestAccount, job: HandedJob) => handOver(broker, account, job),
    publish: (messages: readonly Outgoing[]) => broker.publish(messages),
    seen: (mailId: string, isSeen: (mail: MailRecord) => boolean, withinMs = 20_000) =>
      eventually(async () => {
        const answer = await system.control.get<MailRecord>(`/v1/mails/${mailId}`);
        return answer.status === 200 && isSeen(answer.body) ? answer.body : undefined;
      }, withinMs),
    stop: async () => {
      await broker.close(0);
      await running.stop();
    },
  });
  return delivery;
}
