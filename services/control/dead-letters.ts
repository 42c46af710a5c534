// Empties the queue `dead-letters` into its collection (design, waypost.dead), and says where a letter goes when it is replayed.
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Outgoing, SingleActor } from "#shared/broker/actor.ts";
import type { DeadLetter } from "#shared/broker/dead-letter.ts";
import { publishedAgain, readDeadLetter, replayOf } from "#shared/broker/dead-letter.ts";
import { decodeBody, parse } from "#shared/broker/encoding.ts";
import { replayedUserHeaders, replayedUserOf } from "#shared/broker/replayed-user.ts";
import { COMMANDED, commandsQueueOf, EXCHANGES, QUEUES } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import { isRetriable } from "#shared/errors.ts";
import { keptUntil } from "#shared/life/kept-until.ts";
import type { Log } from "#shared/log.ts";
import { laneNameOfMailbox } from "#shared/routing/lane.ts";
import type { Sealer } from "#shared/secrets.ts";
import type { DeadLetters, StoredDeadLetter } from "#shared/store/dead-letters.ts";

const text = z.string().max(200).optional().catch(undefined);
const deadline = z.iso.datetime({ offset: true }).optional().catch(undefined);
const head = z.object({ account: text, jobId: text, deadline }).optional().catch(undefined);
const mail = z.object({ mailId: text, head }).optional().catch(undefined);

/** What a letter says of itself, as far as it can be read at all. */
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
  deadline?: Date;
}

/** Whose it is. A submission is an application's own words: it could name any account, job and mail. */
export function subjectOf({ queue, body }: Pick<DeadLetter, "queue" | "body">): LetterSubject {
  if (queue === QUEUES.submissions) return {};
  const whole = decodeBody(body).json ?? parse(body);
  const letter = letterSchema.parse(whole);
  const about = letter.head ?? letter.mail?.head ?? letter.meta ?? letter.push?.meta;
  const mailId = letter.mailId ?? letter.mail?.mailId ?? letter.notification?.meta.mail.id;
  return {
    ...(about?.account === undefined ? {} : { account: about.account }),
    ...(about?.jobId === undefined ? {} : { jobId: about.jobId }),
    ...(mailId === undefined ? {} : { mailId }),
    ...(about?.deadline === undefined ? {} : { deadline: new Date(about.deadline) }),
  };
}

/** No mail has a later deadline, whatever a letter says. */
const LONGEST_DEADLINE_MS = 49 * 3_600_000;

/** At its deadline the mails of a parked job are read from its letter. */
export function letterKeptUntil({ deadline: said }: LetterSubject, at: Date, retentionMs: number): Date {
  const latestMs = at.getTime() + LONGEST_DEADLINE_MS;
  return keptUntil(at, retentionMs, said === undefined ? undefined : new Date(Math.min(said.getTime(), latestMs)));
}

function idOf(letter: DeadLetter): string {
  return createHash("sha256")
    .update([letter.queue, letter.type, letter.messageId ?? ""].join("\n"))
    .update(letter.body)
    .digest("hex")
    .slice(0, 32);
}

/** Nobody took it in time: whoever asked was told so, and a replay would do it behind their back. */
export function isUnansweredCommand({ queue, reason }: Pick<DeadLetter, "queue" | "reason">): boolean {
  return reason === "expired" && COMMANDED.some((service) => queue === commandsQueueOf(service));
}

/** So long a letter that cannot be kept stays in hand before it goes to the end of its queue. */
const AGAIN_MS = 5_000;

export interface CollectorPorts {
  deadLetters: Pick<DeadLetters, "add">;
  clock: Clock;
  log: Log;
  retentionMs: number;
}

async function keep({ deadLetters, clock, log, retentionMs }: CollectorPorts, letter: DeadLetter): Promise<void> {
  const { body, ...fields } = letter;
  const subject = subjectOf(letter);
  const id = idOf(letter);
  const at = clock.now();
  const expiresAt = letterKeptUntil(subject, at, retentionMs);
  await deadLetters.add({ _id: id, at, ...fields, bytes: body.length, ...subject, expiresAt }, body);
  const { queue, type, reason } = letter;
  log.warn({ id, queue, type, reason, ...subject }, "control.dead_letter");
}

export function createDeadLettersActor(ports: CollectorPorts): SingleActor<unknown> {
  const { clock, log } = ports;
  return {
    mailbox: QUEUES.deadLetters,
    contracts: { "": z.unknown() },
    prefetch: 4,
    handle: async (delivery) => {
      const letter = readDeadLetter(delivery);
      if (isUnansweredCommand(letter)) {
        log.warn({ queue: letter.queue }, "control.command_expired");
        return { kind: "done", publish: [] };
      }
      try {
        await keep(ports, letter);
        return { kind: "done", publish: [] };
      } catch (error) {
        if (isRetriable(error)) throw error;
        // What is wrong with this one is not wrong with the others: they come first, and it is not lost.
        log.error({ queue: letter.queue, type: letter.type, err: error }, "control.dead_letter_not_kept");
        await clock.sleep(AGAIN_MS);
        return { kind: "done", publish: [publishedAgain(letter)] };
      }
    },
  };
}

/** A mail goes back to the router, which knows its way as of now; anything else to the queue it died in. */
export function replayMessage(letter: StoredDeadLetter, body: Buffer, sealer: Sealer): Outgoing {
  const message = replayOf({ ...letter, body });
  const isMail = letter.type === "mail" && /^(delivery|retry-scheduler\.wait)\./.test(letter.queue);
  if (isMail) return { ...message, exchange: EXCHANGES.due, routingKey: laneNameOfMailbox(letter.queue) };
  const userId = letter.queue === QUEUES.submissions ? userOf(letter, sealer) : undefined;
  if (userId === undefined) return message;
  return { ...message, headers: { ...message.headers, ...replayedUserHeaders(userId, sealer) } };
}

/** Of an application's message, or of a replay of it that was refused once more. */
function userOf({ properties, headers }: StoredDeadLetter, sealer: Sealer): string | undefined {
  const { userId } = properties;
  return typeof userId === "string" ? userId : replayedUserOf(headers, sealer);
}
