// Reads the body of a request, bounded before anything is made of it, and into one buffer where its length is told.
import type { Readable } from "node:stream";

export class BodyTooLarge extends Error {
  override readonly name = "BodyTooLarge";
}

/** Throws BodyTooLarge as soon as there is more than `most`; what still comes is then thrown away unread. */
export async function collectBody(payload: Readable, length: number | undefined, most: number): Promise<Buffer> {
  if (length !== undefined && length > most) throw new BodyTooLarge();
  const whole = length === undefined ? undefined : Buffer.allocUnsafe(length);
  const chunks: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer): void => {
      if (whole === undefined) chunks.push(chunk);
      else chunk.copy(whole, bytes);
      bytes += chunk.length;
      if (bytes <= most) return;
      payload.off("data", take);
      payload.resume();
      reject(new BodyTooLarge());
    };
    payload.on("data", take);
    payload.once("end", () => resolve(whole?.subarray(0, bytes) ?? Buffer.concat(chunks)));
    payload.once("error", reject);
    payload.once("close", () => reject(new Error("the request ended in its middle")));
  });
}
