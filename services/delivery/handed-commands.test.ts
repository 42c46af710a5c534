import { expect, it } from "vitest";
import type { Broker, Delivery, Outgoing } from "#shared/broker/actor.ts";
import type { Clock } from "#shared/clock.ts";
import { systemClock } from "#shared/clock.ts";
import type { CommandMessage } from "#shared/contracts/command.ts";
import { relayHealthMessageSchema } from "#shared/contracts/relay-health.ts";
import { createLog } from "#shared/log.ts";
import { aConfiguration, aRelay, anAccount } from "#test/support/build-mail.ts";
import type { CommandPorts } from "./commands.ts";
import { answerHanded, createCommandsActor } from "./commands.ts";
import { Gossip } from "./gossip.ts";
import { LaneSet } from "./lane-set.ts";

const DEDICATED = "192.0.2.9";
const configuration = aConfiguration({ accounts: [anAccount({ dedicatedIp: DEDICATED })], relays: [aRelay()] });
const log = createLog("test", "silent");
let sleptMs = 0;
/** Nobody waits: what is slept is added to the time. */
const clock: Clock = {
  ...systemClock,
  nowMs: () => systemClock.nowMs() + sleptMs,
  sleep: async (ms) => void (sleptMs += ms),
};

interface Replica {
  gossip: Gossip;
  /** What it does with the command to verify the relay. */
  verify(): Promise<readonly Outgoing[]>;
}

/** Replicas that hear each other, and whoever waits for replies. */
function replicasOf(addresses: readonly (readonly string[])[]): { replicas: Replica[]; replies: Outgoing[] } {
  const replies: Outgoing[] = [];
  const replicas: Replica[] = [];
  const publish = async (messages: readonly Outgoing[]): Promise<void> => {
    for (const message of messages) {
      const heard = relayHealthMessageSchema.safeParse(message.body);
      if (!heard.success) replies.push(message);
      else for (const { gossip } of replicas) gossip.hear(heard.data);
    }
  };
  for (const [index, own] of addresses.entries()) replicas.push(replicaOf(`replica ${index}`, own, { publish }));
  return { replicas, replies };
}

function replicaOf(replica: string, own: readonly string[], { publish }: Pick<Broker, "publish">): Replica {
  const broker = { publish } as Broker;
  const isLocal = (address: string): boolean => own.includes(address);
  const ground = { broker, clock, log, configuration: () => configuration, isLocal };
  const lanes = new LaneSet({} as ConstructorParameters<typeof LaneSet>[0]);
  const gossip = new Gossip({ ...ground, replica, onHanded: (handed) => void answerHanded(ports, handed) }, lanes);
  const network = { resolve: async () => ({ ok: false, failure: "nxdomain", text: `asked by ${replica}` }) };
  const ports = {
    ...ground,
    configuration: async () => configuration,
    lanes,
    targets: { isLocal, network },
    others: gossip,
    timeouts: { connect: 1, greeting: 1, command: 1, data: 1, dot: 1, total: 1 },
    helloName: "here",
  } as unknown as CommandPorts;
  const command = { command: "verify-relay", account: "acme", domain: "example.com" };
  const properties = { replyTo: "asker", correlationId: "7" };
  const delivery = { message: { version: 1, command }, properties } as unknown as Delivery<CommandMessage>;
  return {
    gossip,
    verify: async () => {
      const verdict = await createCommandsActor(ports).handle(delivery);
      if (verdict.kind === "done") await publish(verdict.publish);
      return verdict.kind === "done" ? verdict.publish : [];
    },
  };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const answerOf = (replica: string) => ({
  routingKey: "asker",
  correlationId: "7",
  body: { status: "done", result: { steps: [{ step: "resolve", ok: false, detail: `asked by ${replica}` }] } },
});

it("a relay is verified by the replica that has the account's dedicated IP, whoever was asked", async () => {
  const { replicas, replies } = replicasOf([[], [DEDICATED]]);
  const at = new Date().toISOString();
  const said = { version: 1, replica: "replica 1", at, kind: "report", lanes: [], addresses: [DEDICATED] } as const;
  for (const { gossip } of replicas) gossip.hear({ ...said, addresses: [...said.addresses], lanes: [] });
  for (const replica of replicas) await replica.verify();
  await settled();
  expect(replies).toMatchObject([answerOf("replica 1"), answerOf("replica 1")]);
});

it("where no replica has it, whoever was asked says so", async () => {
  const { replicas, replies } = replicasOf([[], []]);
  await replicas[0]?.verify();
  expect(replies).toMatchObject([{ body: { result: { steps: [{ step: "connect", ok: false }] } } }]);
});
