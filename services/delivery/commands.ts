// What control asks of delivery: verify a relay, look hosts up, forget a lane's breaker. Answered to reply_to.
import type { Delivery, Outgoing, SingleActor, Verdict } from "#shared/broker/actor.ts";
import { commandsQueueOf } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import type { Command, CommandMessage, CommandReply } from "#shared/contracts/command.ts";
import { commandMessageSchema } from "#shared/contracts/command.ts";
import type { Configuration, Relay } from "#shared/routing/configuration.ts";
import type { SmtpTimeouts } from "#shared/settings-schedules.ts";
import type { LaneSet } from "./lane-set.ts";
import type { RelayPlace, TargetPorts } from "./target.ts";
import { verifyRelay } from "./verify.ts";

export interface CommandPorts {
  clock: Clock;
  /** As of now, where the database answers: an operator verifies what was just changed. */
  configuration: () => Promise<Configuration | undefined>;
  lanes: LaneSet;
  targets: TargetPorts;
  timeouts: SmtpTimeouts;
  helloName: string;
}

/** A verification is waited for by somebody: no step lasts longer, whatever attempts may. */
const LONGEST_STEP_MS = 10_000;
const LONGEST_VERIFICATION_MS = 25_000;

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

function replyTo({ properties }: Delivery<CommandMessage>, body: CommandReply): Outgoing[] {
  const { replyTo: routingKey, correlationId } = properties;
  if (routingKey === undefined) return [];
  return [{ exchange: "", routingKey, type: "reply", body, correlationId, transient: true }];
}

export function createCommandsActor(ports: CommandPorts): SingleActor<CommandMessage> {
  return {
    mailbox: commandsQueueOf("delivery"),
    contracts: { command: commandMessageSchema },
    prefetch: 8,
    handle: async (delivery): Promise<Verdict> => ({
      kind: "done",
      publish: replyTo(delivery, await answer(ports, delivery.message.command)),
    }),
  };
}
