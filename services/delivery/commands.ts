// What control asks of delivery: verify a relay, look hosts up, forget a lane's breaker. Answered to reply_to.
import type { Broker, Delivery, Outgoing, SingleActor, Verdict } from "#shared/broker/actor.ts";
import { commandsQueueOf } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import type { Command, CommandMessage, CommandReply } from "#shared/contracts/command.ts";
import { commandMessageSchema } from "#shared/contracts/command.ts";
import type { HandedCommand } from "#shared/contracts/relay-health.ts";
import type { Log } from "#shared/log.ts";
import type { Configuration, Relay } from "#shared/routing/configuration.ts";
import type { SmtpTimeouts } from "#shared/settings-schedules.ts";
import type { Gossip } from "./gossip.ts";
import type { LaneSet } from "./lane-set.ts";
import type { RelayPlace, TargetPorts } from "./target.ts";
import { verifyRelay } from "./verify.ts";

export interface CommandPorts {
  broker: Pick<Broker, "publish">;
  clock: Clock;
  log: Log;
  /** As of now, where the database answers: an operator verifies what was just changed. */
  configuration: () => Promise<Configuration | undefined>;
  lanes: LaneSet;
  targets: TargetPorts;
  others: Pick<Gossip, "replicaWith" | "handOn">;
  timeouts: SmtpTimeouts;
  helloName: string;
}

/** A verification is waited for by somebody: no step lasts longer, whatever attempts may. */
const LONGEST_STEP_MS = 10_000;
const LONGEST_VERIFICATION_MS = 25_000;
const REPLY_MS = 10_000;
/** Nearly all of them verifications, each of which may take its whole time. */
const COMMANDS_IN_HAND = 50;

type VerifyCommand = Extract<Command, { command: "verify-relay" }>;

function hurried(timeouts: SmtpTimeouts): SmtpTimeouts {
  const least = (ms: number): number => Math.min(ms, LONGEST_STEP_MS);
  const { connect, greeting, command, data, dot, total } = timeouts;
  return {
    connect: least(connect),
    greeting: least(greeting),
    command: least(command),
    data: least(data),
    dot: least(dot),
    total: Math.min(total, LONGEST_VERIFICATION_MS),
  };
}

async function verify(ports: CommandPorts, command: VerifyCommand): Promise<CommandReply> {
  const configuration = await ports.configuration();
  const account = configuration?.account(command.account);
  const configured: Relay | undefined = configuration?.relay(command.account, command.domain);
  const relay = (command.candidate as RelayPlace | undefined) ?? configured;
  if (relay === undefined) return { status: "refused", reason: `${command.domain} has no relay` };
  const senders = command.candidate?.senders ?? configured?.senders ?? [];
  const postmaster = `postmaster@${command.domain}`;
  const timeouts = hurried(ports.timeouts);
  const steps = await verifyRelay({
    relay,
    sourceIp: account?.dedicatedIp,
    sender: command.sender ?? senders[0] ?? postmaster,
    recipient: postmaster,
    helloName: ports.helloName,
    ports: ports.targets,
    bounds: {
      clock: ports.clock,
      stopping: new AbortController().signal,
      limits: { timeouts, totalMs: ports.clock.nowMs() + timeouts.total, deadlineMs: Infinity },
    },
  });
  return { status: "done", result: { steps } };
}

/** Delivery's own answer counts: its DNS servers and refused networks are those of the attempts. */
async function lookUp({ targets }: CommandPorts, hosts: readonly string[]): Promise<CommandReply> {
  const found = await Promise.all(
    hosts.map(async (host) => {
      const resolution = await targets.network.resolve(host);
      const detail = resolution.ok ? resolution.addresses.map(({ address }) => address).join(", ") : resolution.text;
      return { host, ok: resolution.ok, detail };
    }),
  );
  return { status: "done", result: { hosts: found } };
}

async function answer(ports: CommandPorts, command: Command): Promise<CommandReply> {
  switch (command.command) {
    case "verify-relay":
      return verify(ports, command);
    case "look-up":
      return lookUp(ports, command.hosts);
    case "reset-lane":
      ports.lanes.find(command.lane)?.relayDestination?.reset();
      return { status: "done", result: {} };
    default:
      return { status: "refused", reason: `delivery does not know ${command.command}` };
  }
}

type Asker = Pick<Delivery<CommandMessage>["properties"], "replyTo" | "correlationId">;

function replyTo({ replyTo: routingKey, correlationId }: Asker, body: CommandReply): Outgoing[] {
  if (routingKey === undefined) return [];
  return [{ exchange: "", routingKey, type: "reply", body, correlationId, transient: true }];
}

/** Who is to do it, where this machine lacks the account's dedicated IP and another's has it. */
async function otherFor(
  { configuration, targets, others }: CommandPorts,
  command: Command,
): Promise<string | undefined> {
  if (command.command !== "verify-relay") return undefined;
  const address = (await configuration())?.account(command.account)?.dedicatedIp;
  return address === undefined || targets.isLocal(address) ? undefined : others.replicaWith(address);
}

async function answerOrHandOn(ports: CommandPorts, { message, properties }: Delivery<CommandMessage>) {
  const { command } = message;
  const { replyTo: asker, correlationId } = properties;
  const to = await otherFor(ports, command);
  if (to === undefined || asker === undefined || correlationId === undefined) {
    return replyTo(properties, await answer(ports, command));
  }
  return [ports.others.handOn({ to, command, replyTo: asker, correlationId })];
}

/** What another replica handed on to this one. Who asked waits for it and no longer: an answer that is lost is no fault. */
export async function answerHanded(ports: CommandPorts, handed: HandedCommand): Promise<void> {
  try {
    await ports.broker.publish(replyTo(handed, await answer(ports, handed.command)), { timeoutMs: REPLY_MS });
  } catch (error) {
    ports.log.warn({ command: handed.command.command, err: error }, "command.unanswered");
  }
}

export interface HandedAnswers {
  readonly take: (handed: HandedCommand) => void;
  /** Resolves when all that were taken are answered. */
  readonly settled: () => Promise<void>;
}

export function createHandedAnswers(ports: () => CommandPorts): HandedAnswers {
  const answering = new Set<Promise<void>>();
  return {
    take: (handed) => {
      const answered = answerHanded(ports(), handed).finally(() => answering.delete(answered));
      answering.add(answered);
    },
    settled: async () => void (await Promise.all(answering)),
  };
}

export function createCommandsActor(ports: CommandPorts): SingleActor<CommandMessage> {
  return {
    mailbox: commandsQueueOf("delivery"),
    contracts: { command: commandMessageSchema },
    prefetch: COMMANDS_IN_HAND,
    handle: async (delivery): Promise<Verdict> => ({
      kind: "done",
      publish: await answerOrHandOn(ports, delivery),
    }),
  };
}
