// Asks a service what is not control's to do (waypost.commands): each collection has one writer.
import type { Broker } from "#shared/broker/actor.ts";
import type { CommandedService } from "#shared/broker/topology.ts";
import type { Command } from "#shared/contracts/command.ts";
import { commandReplySchema } from "#shared/contracts/command.ts";
import { MESSAGE_VERSION } from "#shared/contracts/mail.ts";
import { isRetriable } from "#shared/errors.ts";

export const COMMAND_TIMEOUT_MS = 10_000;

export type Asked =
  | { kind: "done"; result: Readonly<Record<string, unknown>> }
  | { kind: "refused"; reason: string }
  /** No answer in time: whether it was done is not known. */
  | { kind: "unanswered" };

export async function ask(
  broker: Pick<Broker, "request">,
  service: CommandedService,
  order: { command: Command; timeoutMs?: number },
): Promise<Asked> {
  try {
    const body = { version: MESSAGE_VERSION, command: order.command };
    const reply = commandReplySchema.safeParse(
      await broker.request(service, body, order.timeoutMs ?? COMMAND_TIMEOUT_MS),
    );
    if (!reply.success) return { kind: "refused", reason: `${service} gave an answer that cannot be read` };
    return reply.data.status === "done"
      ? { kind: "done", result: reply.data.result }
      : { kind: "refused", reason: reply.data.reason };
  } catch (error) {
    if (isRetriable(error)) return { kind: "unanswered" };
    throw error;
  }
}
