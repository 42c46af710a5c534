// The faults, each as what is done to a running system while mails are on their way.
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "amqplib";
import type { ServiceName } from "#shared/broker/topology.ts";
import { QUEUES, TOPOLOGY } from "#shared/broker/topology.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import { eventually } from "#test/support/eventually.ts";
import { connectManagement } from "#test/support/management.ts";
import { openSession } from "#test/support/smtp-dialog.ts";
import type { Ground } from "./ground.ts";
import { RECIPIENT_DOMAIN } from "./ground.ts";
import { submitOnce } from "./customer.ts";
import type { Fault } from "./scenario.ts";
import { deadLettersOf } from "./verdict.ts";

const AWAY_MS = 2_000;
const BETWEEN_JUMPS_MS = 1_500;
const ALARM_MS = 20_000;
const RECREATED_MS = 30_000;

export interface KillPlan {
  signal?: NodeJS.Signals;
  /** One of several; all of them by default. */
  replica?: number;
  /** How the table calls it. */
  which?: string;
}

/** A deployment starts a process again by itself; that is no manual step. */
export function killOf(service: ServiceName, plan: KillPlan = {}): Fault {
  const { signal = "SIGKILL", replica, which = service } = plan;
  return {
    name: signal === "SIGKILL" ? `kill -9 of ${which}` : `${signal} to ${which}`,
    apply: async (ground, course) => {
      const { system } = ground;
      await system.kill(service, replica === undefined ? { signal } : { signal, replica });
      if (service === "delivery" && signal === "SIGKILL") course.mayDouble(ground.inFlightAtMost(replica));
      await system.restart(service);
    },
  };
}

/** The wall clock of one service is an hour ahead for a while, then an hour behind, then right again (jumping-clock.ts). */
export function clockJumps(service: ServiceName): Fault {
  return {
    name: `the clock of ${service} jumps an hour ahead and an hour back`,
    apply: async ({ system }) => {
      for (let jump = 0; jump < 4; jump += 1) {
        system.process(service).signal("SIGUSR2");
        await sleep(BETWEEN_JUMPS_MS);
      }
    },
  };
}

export const brokerKilled: Fault = {
  name: "kill -9 of RabbitMQ, back after 2 s",
  apply: async ({ broker }) => {
    await broker.kill();
    await sleep(AWAY_MS);
    await broker.start();
  },
};

export const databaseKilled: Fault = {
  name: "kill -9 of MongoDB, back after 2 s",
  apply: async ({ database }) => {
    await database?.kill();
    await sleep(AWAY_MS);
    await database?.start();
  },
};

async function refusalBySmtp({ system, account }: Ground): Promise<number> {
  const dialog = await openSession(system.smtpPort, account);
  const envelope = { from: account.sender, to: [`alarm@${RECIPIENT_DOMAIN}`] };
  const { code } = await dialog.send(envelope, "Subject: a\r\n\r\n");
  dialog.close();
  return code;
}

/** Both ways in refuse for now and say so; what was accepted goes on. */
function alarm(name: string, raise: readonly string[], lower: readonly string[]): Fault {
  return {
    name,
    apply: async (ground) => {
      await ground.broker.control(...raise);
      try {
        await eventually(async () => {
          const request = { key: uniqueLabel("alarm"), recipients: [`alarm@${RECIPIENT_DOMAIN}`] };
          const answer = await submitOnce(ground, request);
          return answer?.status === 503 && answer.headers.has("retry-after");
        }, ALARM_MS);
        await eventually(async () => (await refusalBySmtp(ground)) === 451, ALARM_MS);
      } finally {
        await ground.broker.control(...lower);
      }
    },
  };
}

const WATERMARK = "set_vm_memory_high_watermark";
export const memoryAlarm = alarm("memory alarm of RabbitMQ", [WATERMARK, "0"], [WATERMARK, "0.6"]);
const FREE = "set_disk_free_limit";
export const diskAlarm = alarm("disk alarm of RabbitMQ", [FREE, "9000000000000000"], [FREE, "100MB"]);

/** Deleted as the load begins: what a queue holds or is just given is the one thing that its deletion may cost. */
export function deletionOf(queue: string): Fault {
  return {
    name: `queue ${queue} deleted`,
    begins: 0,
    apply: async ({ system, vhost }, course) => {
      const path = `/queues/${encodeURIComponent(vhost)}/${encodeURIComponent(queue)}`;
      await connectManagement(system.managementUrl).call("DELETE", path);
      course.mayHaveLost();
    },
  };
}

/** The same while all of the load waits there, for nobody splits it. */
export const waitingJobsDeleted: Fault = {
  name: `queue ${QUEUES.jobsInteractive} deleted while no router runs`,
  apply: async (ground, course) => {
    await ground.system.kill("router", { signal: "SIGTERM" });
    await course.load.done;
    await deletionOf(QUEUES.jobsInteractive).apply(ground, course);
    await ground.system.restart("router");
  },
};

/** What lies there is poison already. */
const POISONED = TOPOLOGY.queues.map(({ name }) => name).filter((name) => name !== QUEUES.deadLetters);

async function intoEveryMailbox(ground: Ground, message: { type: string; body: string }): Promise<void> {
  const connection = await connect(ground.system.amqpUrl);
  const channel = await connection.createConfirmChannel();
  const options = { type: message.type, persistent: true };
  for (const queue of POISONED) channel.sendToQueue(queue, Buffer.from(message.body), options);
  await channel.waitForConfirms();
  await connection.close();
}

function poison(name: string, message: { type: string; body: string }): Fault {
  return {
    name,
    letters: POISONED.length,
    apply: async (ground) => {
      const before = (await deadLettersOf(ground)).length;
      await intoEveryMailbox(ground, message);
      await eventually(async () => (await deadLettersOf(ground)).length >= before + POISONED.length, RECREATED_MS);
    },
  };
}

export const poisonEverywhere = poison("poison in every mailbox", { type: "mail", body: "\u0000 no JSON {" });
export const unknownVersion = poison("a message of another version in every mailbox", {
  type: "mail",
  body: JSON.stringify({ version: 99 }),
});
