import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { createServer } from "node:net";
import { setImmediate } from "node:timers/promises";
import { afterAll, afterEach, expect, it } from "vitest";
import { createHttpClient } from "./http-client.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const LOOPBACK = { ok: true, addresses: [{ address: "127.0.0.1", family: 4 }] } as const;

const client = createHttpClient({ network: { resolve: () => Promise.resolve(LOOPBACK) }, timeoutMs: 5_000 });
afterAll(() => client.close());
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** An endpoint that does with its nth POST, counted from 1, what it is told; and how many it got. */
async function endpoint(answer: (socket: Socket, post: number) => void): Promise<{ url: string; posts: () => number }> {
  let posts = 0;
  const server = createServer((socket) => {
    socket.on("error", () => undefined).on("data", () => answer(socket, ++posts));
    closing.push(() => socket.destroy());
  });
  closing.push(() => server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { url: `http://hooks.example.com:${(server.address() as AddressInfo).port}/`, posts: () => posts };
}

const post = (url: string): Promise<{ status: number }> => client.post({ url, headers: {}, body: "{}" });

it("posts once to an endpoint that closes a new connection without an answer", async () => {
  const ends = await endpoint((socket) => socket.end());
  await expect(post(ends.url)).rejects.toMatchObject({ code: "UND_ERR_SOCKET" });
  expect(ends.posts()).toBe(1);
  const resets = await endpoint((socket) => socket.resetAndDestroy());
  await expect(post(resets.url)).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(resets.posts()).toBe(1);
});

it("posts again at once where the endpoint closed a connection that was used before", async () => {
  const { url, posts } = await endpoint((socket, count) => (count === 2 ? socket.destroy() : socket.write(OK)));
  expect(await post(url)).toMatchObject({ status: 200 });
  // The end of the answer is read, so that its connection is used again.
  await setImmediate();
  expect(await post(url)).toMatchObject({ status: 200 });
  expect(posts()).toBe(3);
});
