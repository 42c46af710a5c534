// What an operator asks of a service through control (waypost.commands), and the answer.
import { z } from "zod";
import { TLS_MODES } from "#shared/routing/configuration.ts";
import { MESSAGE_VERSION } from "./mail.ts";

export const commandSchema = z.discriminatedUnion("command", [
  /** router: put a recipient on an account's suppression list, or take it off. */
  z.object({
    command: z.literal("suppress"),
    account: z.string(),
    email: z.string(),
    until: z.iso.datetime({ offset: true }).optional(),
    reason: z.string().optional(),
  }),
  z.object({ command: z.literal("unsuppress"), account: z.string(), email: z.string() }),
  /** delivery: speak to a relay up to RCPT and say what it answered. */
  z.object({
    command: z.literal("verify-relay"),
    account: z.string(),
    domain: z.string(),
    sender: z.string().optional(),
    /** Verified in place of what is configured (`PUT …/relay?verify=require`). The password is sealed. */
    candidate: z
      .object({
        host: z.string(),
        port: z.int(),
        senders: z.array(z.string()),
        tls: z.enum(TLS_MODES),
        auth: z.object({ user: z.string(), password: z.string() }).optional(),
      })
      .optional(),
  }),
  /** delivery: what its DNS servers know of these hosts. */
  z.object({ command: z.literal("look-up"), hosts: z.array(z.string()) }),
  /** delivery: forget the breaker of a lane (after `resume`). */
  z.object({ command: z.literal("reset-lane"), lane: z.string() }),
  /** notifier. */
  z.object({ command: z.literal("enable-endpoint"), account: z.string() }),
  z.object({
    command: z.literal("replay-notifications"),
    account: z.string().optional(),
    ids: z.array(z.string()).optional(),
  }),
  z.object({ command: z.literal("test-endpoint"), account: z.string().optional(), url: z.string() }),
  /** router and notifier: remove one recipient's personal data. */
  z.object({ command: z.literal("erase"), email: z.string() }),
  /** notifier: remove what is kept of an account whose last mail has ended. */
  z.object({ command: z.literal("forget-account"), account: z.string() }),
]);
export type Command = z.infer<typeof commandSchema>;

export const commandMessageSchema = z.object({ version: z.literal(MESSAGE_VERSION), command: commandSchema });
export type CommandMessage = z.infer<typeof commandMessageSchema>;

export const commandReplySchema = z.discriminatedUnion("status", [
  z.object({ status: z.literal("done"), result: z.record(z.string(), z.unknown()) }),
  z.object({ status: z.literal("refused"), reason: z.string() }),
]);
export type CommandReply = z.infer<typeof commandReplySchema>;
