// What the command line makes of answers that are not control's.
import { once } from "node:events";
import type { Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Client } from "./client.ts";
import { createClient, Refusal } from "./client.ts";

let server: Server;
let answer: (response: ServerResponse) => void;

const clientOf = (controlUrl: string): Client => createClient({ controlUrl, adminToken: "token" });
const origin = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

beforeEach(async () => {
  server = createServer((_request, response) => answer(response));
  await once(server.listen(0, "127.0.0.1"), "listening");
});
afterEach(() => {
  server.close();
});

it("takes no page of another server for something done", async () => {
  answer = (response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>Sign in</html>");
  const asked = clientOf(origin()).post("/v1/accounts/acme/domains/acme.example/relay/suspend");
  await expect(asked).rejects.toThrow(`what answers at ${origin()} is not Waypost`);
});

it("follows no redirect: where that leads to did nothing", async () => {
  answer = (response) => response.writeHead(302, { location: "/sign-in" }).end();
  const asked = clientOf(origin()).get("/v1/accounts");
  await expect(asked).rejects.toThrow("the answer was 302");
  await expect(asked).rejects.toBeInstanceOf(Refusal);
});

it("says why there is no answer, and not what was asked", async () => {
  answer = (response) => response.socket?.destroy();
  await expect(clientOf(origin()).get("/v1/accounts")).rejects.toThrow(
    /does not answer \(.+\): is the system running\?$/,
  );
  const overTls = clientOf(origin().replace("http:", "https:")).get("/v1/accounts");
  await expect(overTls).rejects.toThrow(/^https:\/\/127\.0\.0\.1:\d+ does not answer \(.+\)/);
});
