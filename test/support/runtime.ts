// The actor runtime alone, within the test's process, in a virtual host of its own.
import { pino } from "pino";
import { onTestFinished } from "vitest";
import { z } from "zod";
import type { Broker, Delivery, Outgoing } from "#shared/broker/actor.ts";
import type { BrokerOptions } from "#shared/broker/broker.ts";
import { connectBroker } from "#shared/broker/broker.ts";
import type { DeadLetter } from "#shared/broker/dead-letter.ts";
import { readDeadLetter } from "#shared/broker/dead-letter.ts";
import { EXCHANGES, QUEUES } from "#shared/broker/topology.ts";
import { systemClock } from "#shared/clock.ts";
import { ownPlace, testBacking } from "./backing.ts";
import { eventually } from "./eventually.ts";
import type { Management } from "./management.ts";
import { connectManagement } from "./management.ts";

export interface Runtime {
  broker: Broker;
  vhost: string;
  management: Management;
  /** Another process's runtime in the same virtual host. */
  another: () => Broker;
}

export type RuntimeOptions = Partial<Pick<BrokerOptions, "mostBytesHeld" | "clock">>;

export const numberedSchema = z.object({ version: z.literal(1), n: z.int() });
export type Numbered = z.infer<typeof numberedSchema>;
export const numberedContracts = { mail: numberedSchema };

/** A message to the mailbox `router.due`, which takes any key. */
export function toDue(n: number, more: Partial<Outgoing> = {}): Outgoing {
  return { exchange: EXCHANGES.due, routingKey: "lane", type: "mail", body: { version: 1, n }, ...more };
}

export function connect(amqpUrl: string, options: RuntimeOptions = {}): Broker {
  const level = process.env["WAYPOST_TEST_LOG"] ?? "silent";
  const broker = connectBroker({
    urls: amqpUrl.split(","),
    service: "test",
    log: pino({ level }),
    clock: systemClock,
    ...options,
  });
  onTestFinished(() => broker.close(500));
  return broker;
}

export async function startRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const place = await ownPlace(testBacking());
  onTestFinished(() => place.remove());
  const broker = connect(place.amqpUrl, options);
  await eventually(() => broker.ready);
  return {
    broker,
    vhost: decodeURIComponent(new URL(place.amqpUrl).pathname.slice(1)),
    management: connectManagement(place.managementUrl),
    another: () => connect(place.amqpUrl),
  };
}

/** Takes what is in `dead-letters`, as control does. */
export function collectDeadLetters(broker: Broker): { letters: DeadLetter[]; deliveries: Delivery<unknown>[] } {
  const letters: DeadLetter[] = [];
  const deliveries: Delivery<unknown>[] = [];
  broker.start<unknown>({
    mailbox: QUEUES.deadLetters,
    contracts: { "": z.unknown() },
    prefetch: 10,
    handle: async (delivery) => {
      letters.push(readDeadLetter(delivery));
      deliveries.push(delivery);
      return { kind: "done", publish: [] };
    },
  });
  return { letters, deliveries };
}
