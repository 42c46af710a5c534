// Empties the queue `dead-letters` into its collection (design, waypost.dead), and says where a letter goes when it is replayed.
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Outgoing, SingleActor } from "#shared/broker/actor.ts";
import type { DeadLetter } from "#shared/broker/dead-letter.ts";
import { readDeadLetter, replayOf } from "#shared/broker/dead-letter.ts";
import { decodeBody, parse } from "#shared/broker/encoding.ts";
import { replayedUserHeaders } from "#shared/broker/replayed-user.ts";
import { EXCHANGES, QUEUES } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import { laneNameOfMailbox } from "#shared/routing/lane.ts";
import type { Sealer } from "#shared/secrets.ts";
import type { DeadLetters, StoredDeadLetter } from "#shared/store/dead-letters.ts";

const text = z.string().max(200).optional().catch(undefined);
const head = z.object({ account: text, jobId: text }).optional().catch(undefined);
const mail = z.object({ mailId: text, head }).optional().catch(undefined);

/** What a letter says of itself, as far as it can be read at all: nothing in it is relied upon. */
const letterSchema = z
  .object({
    mailId: text,
    head,
    mail,
    meta: head,
    push: z.object({ meta: head }).optional().catch(undefined),
    notification: z
      .object({ meta: z.object({ mail: z.object({ id: text }) }) })
      .optional()
      .catch(undefined),
  })
  .catch({});

export interface LetterSubject {
  account?: string;
  jobId?: string;
  mailId?: string;
}

export function subjectOf(body: Buffer): LetterSubject {
  const whole = decodeBody(body).json ?? parse(body);
  const letter = letterSchema.parse(whole);
  const about = letter.head ?? letter.mail?.head ?? letter.meta ?? letter.push?.meta;
  const mailId = letter.mailId ?? letter.mail?.mailId ?? letter.notification?.meta.mail.id;
  return {
    ...(about?.account === undefined ? {} : { account: about.account }),
    ...(about?.jobId === undefined ? {} : { jobId: about.jobId }),
    ...(mailId === undefined ? {} : { mailId }),
  };
}

function idOf(letter: DeadLetter): string {
  return createHash("sha256")
    .update([letter.queue, letter.type, letter.messageId ?? ""].join("\n"))
    .update(letter.body)
    .digest("hex")
    .slice(0, 32);
}

/** Nobody took it in time: whoever asked was told so, and a replay would do it behind their back. */
export function isUnansweredCommand({ type, reason }: Pick<DeadLetter, "type" | "reason">): boolean {
  return type === "command" && reason === "expired";
}

export interface CollectorPorts {
  deadLetters: DeadLetters;
  clock: Clock;
  log: Log;
  retentionMs: number;
}

export function createDeadLettersActor({ deadLetters, clock, log, retentionMs }: CollectorPorts): SingleActor<unknown> {
  return {
    mailbox: QUEUES.deadLetters,
    contracts: { "": z.unknown() },
    prefetch: 4,
    handle: async (delivery) => {
      const { body, ...letter } = readDeadLetter(delivery);
      if (isUnansweredCommand(letter)) {
        log.warn({ queue: letter.queue }, "control.command_expired");
        return { kind: "done", publish: [] };
      }
      const subject = subjectOf(body);
      const id = idOf({ ...letter, body });
      const at = clock.now();
      const expiresAt = new Date(at.getTime() + retentionMs);
      await deadLetters.add({ _id: id, at, ...letter, bytes: body.length, ...subject, expiresAt }, body);
      log.warn(
        { id, queue: letter.queue, type: letter.type, reason: letter.reason, ...subject },
        "control.dead_letter",
      );
      return { kind: "done", publish: [] };
    },
  };
}

/** A mail goes back to the router, which knows its way as of now; anything else to the queue it died in. */
export function replayMessage(letter: StoredDeadLetter, body: Buffer, sealer: Sealer): Outgoing {
  const message = replayOf({ ...letter, body });
  const isMail = letter.type === "mail" && /^(delivery|retry-scheduler\.wait)\./.test(letter.queue);
  if (isMail) return { ...message, exchange: EXCHANGES.due, routingKey: laneNameOfMailbox(letter.queue) };
  const userId = letter.queue === QUEUES.submissions ? letter.properties["userId"] : undefined;
  if (typeof userId !== "string") return message;
  return { ...message, headers: { ...message.headers, ...replayedUserHeaders(userId, sealer) } };
}
