import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { BodyTooLarge, collectBody, LARGE_BYTES, NoPlace, RequestCutShort } from "./collect-body.ts";

it("gives the whole of a body that comes in pieces", async () => {
  const payload = new PassThrough();
  const body = collectBody(payload, { length: undefined, most: 100 });
  payload.write("one ");
  payload.end("two");
  expect(String(await body)).toBe("one two");
});

it("keeps the bytes of small chunks, not the chunks", async () => {
  const payload = new PassThrough();
  const body = collectBody(payload, { length: undefined, most: 1_000 });
  const chunks = Array.from({ length: 100 }, (_, index) => Buffer.from(String(index % 10)));
  for (const chunk of chunks) payload.write(chunk);
  await new Promise((resolve) => setImmediate(resolve));
  for (const chunk of chunks.slice(1)) chunk.fill("x");
  payload.end();
  expect(String(await body)).toBe("0123456789".repeat(10));
});

it("throws BodyTooLarge for a length that is told, and for one that is not", async () => {
  await expect(collectBody(new PassThrough(), { length: 101, most: 100 })).rejects.toThrow(BodyTooLarge);
  const payload = new PassThrough();
  payload.write(Buffer.alloc(101));
  await expect(collectBody(payload, { length: undefined, most: 100 })).rejects.toThrow(BodyTooLarge);
});

it("throws RequestCutShort when the client leaves, or has left", async () => {
  const payload = new PassThrough();
  const body = collectBody(payload, { length: 50, most: 100 });
  payload.destroy();
  await expect(body).rejects.toThrow(RequestCutShort);
  await expect(collectBody(payload, { length: 50, most: 100 })).rejects.toThrow(RequestCutShort);
  const aborted = new PassThrough();
  const upload = collectBody(aborted, { length: 50, most: 100 });
  aborted.destroy(Object.assign(new Error("aborted"), { code: "ECONNRESET" }));
  await expect(upload).rejects.toThrow(RequestCutShort);
});

it("asks for a place for a body whose length is not told once it turns out to be large, and reads no more without one", async () => {
  const asked: number[] = [];
  const read = (bytes: number, hasPlace: boolean): Promise<Buffer> => {
    const payload = new PassThrough();
    const askForPlace = async (): Promise<boolean> => asked.push(bytes) > 0 && hasPlace;
    const body = collectBody(payload, { length: undefined, most: 2 * LARGE_BYTES, askForPlace });
    payload.write(Buffer.alloc(bytes));
    payload.end("end");
    return body;
  };
  expect(await read(LARGE_BYTES - 3, false)).toHaveLength(LARGE_BYTES);
  expect(await read(LARGE_BYTES + 1, true)).toHaveLength(LARGE_BYTES + 4);
  await expect(read(LARGE_BYTES + 2, false)).rejects.toThrow(NoPlace);
  expect(asked).toEqual([LARGE_BYTES + 1, LARGE_BYTES + 2]);
});
