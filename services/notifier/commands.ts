// What an operator asks of the notifier through control, and the answer.
import type { Delivery, Verdict } from "#shared/broker/actor.ts";
import type { Clock } from "#shared/clock.ts";
import type { Command, CommandMessage, CommandReply } from "#shared/contracts/command.ts";
import type { ConfigurationPort } from "#shared/routing/configuration.ts";
import type { Sealer } from "#shared/secrets.ts";
import type { DeadNotifications } from "#shared/store/dead-notifications.ts";
import type { Endpoints } from "#shared/store/endpoints.ts";
import { isRetriable } from "#shared/errors.ts";
import type { Board } from "./board.ts";
import type { DeadKeeper } from "./dead.ts";
import type { Poster } from "./post.ts";
import { tryEndpoint, tryUnsigned } from "./try-endpoint.ts";

export interface CommandOptions {
  board: Pick<Board, "open">;
  clock: Clock;
  configuration: Pick<ConfigurationPort, "confirmed">;
  dead: DeadKeeper;
  deadNotifications: Pick<DeadNotifications, "erase" | "forget">;
  endpoints: Pick<Endpoints, "enable" | "forget">;
  /** Erases an address from the record; answers from how many mails. */
  erase(address: string): Promise<number>;
  poster: Poster;
  sealer: Sealer;
}

const done = (result: Record<string, unknown>): CommandReply => ({ status: "done", result });
const refused = (reason: string): CommandReply => ({ status: "refused", reason });

async function replay(
  options: CommandOptions,
  command: Extract<Command, { command: "replay-notifications" }>,
): Promise<CommandReply> {
  if (command.ids !== undefined) return done({ ...(await options.dead.replay({ ids: command.ids })) });
  if (command.account === undefined) return refused("an account or ids");
  return done({ ...(await options.dead.replay({ account: command.account })) });
}

async function obey(options: CommandOptions, command: Command): Promise<CommandReply> {
  switch (command.command) {
    case "enable-endpoint": {
      options.board.open(command.account);
      return done({ enabled: await options.endpoints.enable(command.account, options.clock.now()) });
    }
    case "replay-notifications":
      return replay(options, command);
    case "test-endpoint": {
      const { account, url } = command;
      const samples = await (account === undefined
        ? tryUnsigned(options, url)
        : tryEndpoint(options, { account, url }));
      return samples === undefined ? refused("unknown account") : done({ samples });
    }
    case "erase": {
      const [mails, notifications] = [
        await options.erase(command.email),
        await options.deadNotifications.erase(command.email),
      ];
      return done({ mails, notifications });
    }
    case "forget-account":
      await options.endpoints.forget(command.account);
      await options.deadNotifications.forget(command.account);
      return done({});
    default:
      return refused(`the notifier knows no command ${command.command}`);
  }
}

/** The handler of notifier.commands. */
export function createCommandHandler(
  options: CommandOptions,
): (delivery: Delivery<CommandMessage>) => Promise<Verdict> {
  return async ({ message, properties }) => {
    const reply = await obey(options, message.command).catch((error: unknown): CommandReply => {
      if (isRetriable(error)) throw error;
      return refused(error instanceof Error ? error.message : "failed");
    });
    const { replyTo, correlationId } = properties;
    if (replyTo === undefined) return { kind: "done", publish: [] };
    const answer = { exchange: "", routingKey: replyTo, type: "command-reply", body: reply, correlationId };
    return { kind: "done", publish: [{ ...answer, transient: true }] };
  };
}
