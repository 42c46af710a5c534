import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import { problemSchema } from "#shared/contracts/problem.ts";
import { refuseUnreadable } from "./unreadable-request.ts";

it.each([
  ["no HTTP at all", "EHLO me\r\n\r\n", 400],
  ["headers that never end", `GET / HTTP/1.1\r\nHost: x\r\nX-A: ${"a".repeat(20_000)}`, 431],
])("answers a problem to %s", async (_, request, status) => {
  const server = createServer().on("clientError", refuseUnreadable).listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.write(request);
  const [head = "", body = ""] = (await text(socket)).split("\r\n\r\n");
  server.close();
  expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} .*\\r\\nContent-Type: application/problem\\+json`));
  expect(head).toContain(`Content-Length: ${body.length}`);
  expect(problemSchema.parse(JSON.parse(body)).status).toBe(status);
});
