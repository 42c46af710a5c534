// The actor of commands: what an operator asks of the suppression list through control, with a reply.
import type { Delivery, SingleActor, Verdict } from "#shared/broker/actor.ts";
import { commandsQueueOf } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import type { Command, CommandMessage, CommandReply } from "#shared/contracts/command.ts";
import { commandMessageSchema } from "#shared/contracts/command.ts";
import { domainOf } from "#shared/email/domain-name.ts";
import type { Suppressions } from "#shared/store/suppressions.ts";

export interface CommandPorts {
  suppressions: Suppressions;
  clock: Clock;
}

export function createCommandsActor(ports: CommandPorts): SingleActor<CommandMessage> {
  return {
    mailbox: commandsQueueOf("router"),
    contracts: { command: commandMessageSchema },
    prefetch: 10,
    handle: async (delivery) => answer(delivery, await perform(ports, delivery.message.command)),
  };
}

export async function perform({ suppressions, clock }: CommandPorts, command: Command): Promise<CommandReply> {
  switch (command.command) {
    case "suppress": {
      const { account, email, until, reason } = command;
      if (domainOf(email) === undefined) return { status: "refused", reason: `${email} is no address` };
      await suppressions.listByHand(
        {
          account,
          email,
          ...(until === undefined ? {} : { until: new Date(until) }),
          ...(reason === undefined ? {} : { reason }),
        },
        clock.now(),
      );
      return { status: "done", result: {} };
    }
    case "unsuppress":
      return { status: "done", result: { removed: await suppressions.remove(command.account, command.email) } };
    case "erase":
      return { status: "done", result: { removed: await suppressions.erase(command.email) } };
    case "forget-account":
      return { status: "done", result: { removed: await suppressions.forgetAccount(command.account) } };
    case "verify-relay":
    case "look-up":
    case "reset-lane":
    case "enable-endpoint":
    case "replay-notifications":
    case "test-endpoint":
      return { status: "refused", reason: `${command.command} is not the router's` };
  }
}

function answer({ properties }: Delivery<CommandMessage>, reply: CommandReply): Verdict {
  const { replyTo, correlationId } = properties;
  if (replyTo === undefined) return { kind: "done", publish: [] };
  return {
    kind: "done",
    publish: [
      { exchange: "", routingKey: replyTo, type: "command-reply", body: reply, correlationId, transient: true },
    ],
  };
}
