// Reads the body of a request, bounded before anything is made of it, and a large one into one buffer where its length is told.
import type { Readable } from "node:stream";
import { createBlocks } from "./blocks.ts";

/** Smaller bodies come in few chunks, often in one, which then needs no copy; larger ones are few at once. */
export const LARGE_BYTES = 256 * 1024;

export class BodyTooLarge extends Error {
  override readonly name = "BodyTooLarge";
}

/** The client has left in the middle of its request: nobody is there to be answered. */
export class RequestCutShort extends Error {
  override readonly name = "RequestCutShort";
  readonly statusCode = 400;
}

/** A body that turns out to be large, while there are too many others. */
export class NoPlace extends Error {
  override readonly name = "NoPlace";
}

/** Asks for a place for a large body whose length nobody told; false where there is none. */
export type AskForPlace = () => Promise<boolean>;

/**
 * Throws BodyTooLarge as soon as there is more than `most`; what still comes is then thrown away unread. Throws
 * RequestCutShort when the client leaves before its end, and NoPlace where the body is large and may not be. Where the
 * length is told, whoever calls has asked for a place.
 */
export async function collectBody(
  payload: Readable,
  { length, most, askForPlace }: { length: number | undefined; most: number; askForPlace?: AskForPlace | undefined },
): Promise<Buffer> {
  if (length !== undefined && length > most) throw new BodyTooLarge();
  if (payload.destroyed) throw new RequestCutShort();
  const blocks = createBlocks(length !== undefined && length > LARGE_BYTES ? length : 0);
  return new Promise((resolve, reject) => {
    const refuse = (error: Error): void => {
      payload.off("data", take);
      payload.resume();
      reject(error);
    };
    let isLarge = length !== undefined;
    const take = (chunk: Buffer): void => {
      blocks.add(chunk);
      if (blocks.bytes > most) return refuse(new BodyTooLarge());
      if (isLarge || blocks.bytes <= LARGE_BYTES || askForPlace === undefined) return;
      isLarge = true;
      payload.pause();
      void askForPlace().then((hasPlace) => (hasPlace ? payload.resume() : refuse(new NoPlace())));
    };
    // An error takes its stack when it is made: none is for the close of a body that has come to its end.
    const cut = (): void => reject(new RequestCutShort());
    payload.on("data", take);
    payload.once("end", () => {
      payload.off("close", cut);
      resolve(wholeOf(blocks.all()));
    });
    // Node tells of a client that left in the middle by an error, before the close.
    payload.once("error", cut);
    payload.once("close", cut);
  });
}

function wholeOf(blocks: readonly Buffer[]): Buffer {
  const [only] = blocks;
  return only !== undefined && blocks.length === 1 ? only : Buffer.concat(blocks);
}

/** Gives a large body's memory back at once, where the garbage collector would let it stand beside what was made of it. */
export function letGo(body: Buffer): void {
  const { buffer } = body;
  const isItsOwn = buffer instanceof ArrayBuffer && body.byteOffset === 0 && body.length > LARGE_BYTES;
  if (isItsOwn && !buffer.detached) buffer.transfer(0);
}
