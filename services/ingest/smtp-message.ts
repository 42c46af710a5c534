// What an SMTP client sent after DATA: read as it comes, checked, and put together again below one Received line with
// nothing changed but that our own control headers are gone (contract, JobRequest over SMTP).
import type { Readable } from "node:stream";
import { MAX_MAIL_BYTES } from "#shared/contracts/job-request.ts";
import { createNewlineCheck } from "./bare-newline.ts";
import { createBlocks } from "./blocks.ts";
import type { ControlDetails } from "./control-headers.ts";
import { controlNameOf, readControlHeaders } from "./control-headers.ts";
import type { HeaderField } from "./header-fields.ts";
import { decodeUtf8, readHeaderSection, unfold } from "./header-fields.ts";
import { MOST_RECEIVED_LINES } from "./received.ts";
import type { Refusal } from "./smtp-refusal.ts";
import { MESSAGE_TOO_BIG, refusal } from "./smtp-refusal.ts";

const MOST_HEADER_BYTES = 1_048_576;
const LINE_END = Buffer.from("\r\n");
const SECTION_END = Buffer.from("\r\n\r\n");

/** Places for large messages: what bounds the memory that messages on their way in may take. */
export interface LargePlaces {
  /** Resolves with how to give the place back, or undefined when none came free in time. */
  take(): Promise<(() => void) | undefined>;
}

/** A message that grows over so many bytes needs one of these places, beside those of the tiers below. */
export interface PlaceTier {
  above: number;
  places: LargePlaces;
}

export type Collected =
  { ok: true; chunks: Buffer[]; bytes: number; release: () => void } | { ok: false; refusal: Refusal };

const BARE_NEWLINE = refusal(550, "5.5.2", "the message has a CR or LF on its own; only CRLF ends a line");
const NO_PLACE = refusal(452, "4.3.1", "too many large messages at once, please try again later");

/** Reads a message to its end, keeping at most as much of it as a message may have. Rejects when the client goes away. */
export async function collectMessage(stream: Readable, tiers: readonly PlaceTier[]): Promise<Collected> {
  const newlines = createNewlineCheck();
  const taken: (() => void)[] = [];
  const release = (): void => {
    for (const giveBack of taken.splice(0)) giveBack();
  };
  let blocks = createBlocks();
  let bytes = 0;
  let problem: Refusal | undefined;
  const stop = (found: Refusal): void => {
    problem ??= found;
    blocks = createBlocks();
    release();
  };
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (problem !== undefined) continue;
      newlines.push(chunk);
      blocks.add(chunk);
      const tier = tiers[taken.length];
      if (bytes > MAX_MAIL_BYTES) stop(MESSAGE_TOO_BIG);
      else if (tier !== undefined && bytes > tier.above) {
        const giveBack = await tier.places.take();
        if (giveBack === undefined) stop(NO_PLACE);
        else taken.push(giveBack);
      }
    }
  } catch (error) {
    release();
    throw error;
  }
  if (problem === undefined && newlines.hasBare()) stop(BARE_NEWLINE);
  return problem === undefined ? { ok: true, chunks: blocks.all(), bytes, release } : { ok: false, refusal: problem };
}

export interface SmtpMessage {
  details: ControlDetails;
  messageId?: string;
  /** The values of the From fields that have one, unfolded. */
  from: readonly string[];
  /** The message below `received`, without the control headers. Once: what it was read from is let go. */
  below(received: string): Buffer;
}

/** The bytes that hold the header section, and those behind it. */
function splitHeader(chunks: readonly Buffer[]): { head: Buffer; rest: Buffer[]; headerBytes: number } {
  const first = chunks[0] ?? Buffer.alloc(0);
  const isInFirst = first.indexOf(SECTION_END) !== -1 || first.subarray(0, 2).equals(LINE_END);
  const head = isInFirst ? first : Buffer.concat(chunks);
  const end = head.subarray(0, 2).equals(LINE_END) ? 0 : head.indexOf(SECTION_END) + 2;
  return { head, rest: isInFirst ? chunks.slice(1) : [], headerBytes: end === 1 ? head.length : end };
}

/** The pieces of the header section between the fields that are taken out. */
function keptPieces(head: Buffer, removed: readonly HeaderField[]): Buffer[] {
  const starts = [0, ...removed.map((field) => field.end)];
  const ends = [...removed.map((field) => field.start), head.length];
  return starts.map((start, index) => head.subarray(start, ends[index])).filter((piece) => piece.length > 0);
}

const textOf = (field: HeaderField): string => decodeUtf8(unfold(field.raw)) ?? unfold(field.raw);

/** Reads the header section of a whole message, or says why the message is refused. Owns `chunks` from then on. */
export function readMessage(
  chunks: Buffer[],
  prefixes: readonly string[],
): { ok: true; message: SmtpMessage } | { ok: false; refusal: Refusal } {
  const { head, rest, headerBytes } = splitHeader(chunks);
  if (headerBytes > MOST_HEADER_BYTES)
    return { ok: false, refusal: refusal(552, "5.3.4", "the header section is larger than 1048576 bytes") };
  const { fields } = readHeaderSection(head.toString("latin1", 0, headerBytes));
  if (fields.filter((field) => field.name === "received").length >= MOST_RECEIVED_LINES)
    return { ok: false, refusal: refusal(554, "5.4.6", `${MOST_RECEIVED_LINES} Received lines: the message loops`) };
  const control = readControlHeaders(fields, prefixes);
  if (!control.ok) return { ok: false, refusal: refusal(554, "5.6.0", `${control.header}: ${control.reason}`) };
  const pieces = keptPieces(
    head,
    fields.filter((field) => controlNameOf(field.name, prefixes) !== undefined),
  );
  const messageId = fields.find((field) => field.name === "message-id");
  return {
    ok: true,
    message: {
      details: control.details,
      ...(messageId === undefined || textOf(messageId) === "" ? {} : { messageId: textOf(messageId) }),
      from: fields.filter((field) => field.name === "from" && textOf(field) !== "").map(textOf),
      below: (received) => {
        const whole = Buffer.concat([Buffer.from(received, "latin1"), ...pieces, ...rest]);
        for (const part of [pieces, rest, chunks]) part.length = 0;
        return whole;
      },
    },
  };
}
