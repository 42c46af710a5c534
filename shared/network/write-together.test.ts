import { once } from "node:events";
import { PassThrough, Writable } from "node:stream";
import { expect, it } from "vitest";
import { writeTogether } from "./write-together.ts";

it("writes what comes in one turn together, and loses nothing", async () => {
  const written: string[] = [];
  const socket = new PassThrough();
  socket._writev = (chunks, done) => {
    written.push(chunks.map(({ chunk }) => String(chunk)).join(""));
    done();
  };
  writeTogether(socket);
  socket.write("a");
  socket.write("b");
  await new Promise((resolve) => setImmediate(resolve));
  socket.write("c");
  socket.write("d");
  socket.end();
  await once(socket, "finish");
  expect(written).toEqual(["ab", "cd"]);
});

it("lets a source go on that waits for room", async () => {
  const socket = new PassThrough({ highWaterMark: 4 });
  const read: Buffer[] = [];
  socket.pipe(
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        read.push(chunk);
        done();
      },
    }),
  );
  writeTogether(socket);
  const source = new PassThrough();
  source.pipe(socket);
  for (let index = 0; index < 100; index += 1) source.write("12345678");
  source.end();
  await once(socket, "end");
  expect(Buffer.concat(read).length).toBe(800);
});
