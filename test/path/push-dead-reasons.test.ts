// Whatever a stranger's endpoint does in place of taking a notification: it is dead in the end, and an operator reads why.
import type { AddressInfo, Socket } from "node:net";
import { createServer } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { hostInUrl } from "#shared/network/host-in-url.ts";
import { loopbackAddress } from "#test/support/addresses.ts";
import { createAuthority } from "#test/support/certificate.ts";
import type { EndpointOptions, EndpointScript } from "#test/support/endpoint.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import { eventually } from "#test/support/eventually.ts";
import type { NotifierAlone } from "#test/support/notifier.ts";
import { startNotifier, testJob } from "#test/support/notifier.ts";

let notifier: NotifierAlone;
/** The tests run side by side: what they opened is closed after the last. */
const opened: (() => unknown)[] = [];

beforeAll(async () => {
  notifier = await startNotifier(
    {
      WAYPOST_NOTIFY_SCHEDULE: "1s",
      WAYPOST_NOTIFY_DEADLINE: "2s",
      // The three points of a mail come in one POST, however busy the machine is: a job that has ended waits for nothing.
      WAYPOST_NOTIFY_LINGER: "5s",
      WAYPOST_ALLOW_NETWORKS: "127.0.0.0/8,::1/128",
    },
    { services: ["notifier", "control"] },
  );
});

afterAll(async () => {
  await notifier.stop();
  for (const close of opened) close();
});

async function open(script: EndpointScript, options?: EndpointOptions): Promise<string> {
  const endpoint = await startEndpoint(script, options);
  opened.push(() => endpoint.close());
  return endpoint.url;
}

/** A server that says these bytes once it has read something, or does something else with the connection. */
async function openRaw(act: string | ((socket: Socket) => void), address = loopbackAddress()): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => (typeof act === "string" ? socket.write(act, "latin1") : act(socket)));
    opened.push(() => void socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  opened.push(() => void server.close());
  const host = hostInUrl(address);
  return `http://${host}:${(server.address() as AddressInfo).port}/`;
}

const secure = (url: string): string => url.replace("http:", "https:");
const withCertificateFor = async (name: string): Promise<EndpointOptions> => ({
  tls: await (await createAuthority()).issue(name),
});

interface Item {
  reason: string;
  url: string;
  jobId: string;
}

const TROUBLES: readonly [string, () => Promise<string>, RegExp][] = [
  ["no answer for 10 s", () => open(() => ({ hang: true })), /^no answer in time$/],
  ["a 500 whose body never ends", () => open(() => ({ status: 500, endless: true })), /^500: not a success$/],
  ["404", () => open(() => ({ status: 404 })), /^404: not a success$/],
  ["a redirect", () => open(() => ({ status: 302, headers: { location: "/" } })), /^302: a redirect, .+not followed$/],
  ["410", () => open(() => ({ status: 410 })), /410: the endpoint is gone and was switched off$/],
  ["429", () => open(() => ({ status: 429 })), /^429: the endpoint asks to wait$/],
  [
    "Retry-After",
    () => open(() => ({ status: 503, headers: { "retry-after": "60" } })),
    /503: the endpoint asks to wait$/,
  ],
  [
    "an untrusted certificate",
    async () => open(() => ({}), await withCertificateFor("a.example")),
    /^TLS: the certificate/,
  ],
  ["no TLS where there should be", async () => secure(await openRaw("HTTP/1.1 200 OK\r\n\r\n")), /^TLS: /],
  ["TLS cut in its handshake", async () => secure(await openRaw((socket) => socket.destroy())), /^TLS|^connection/],
  ["HTTP/1.0", () => openRaw("HTTP/1.0 500 Oops\r\n\r\nsorry"), /^500: not a success$/],
  [
    "a chunked 500",
    () => openRaw("HTTP/1.1 500 Oops\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"),
    /^500: /,
  ],
  ["a chunk that is none", () => openRaw("HTTP/1.1 502 Oops\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"), /^502: /],
  ["a reset in the middle", () => openRaw((socket) => socket.resetAndDestroy()), /^connection reset/],
  ["a close without answer", () => openRaw((socket) => socket.end()), /^connection closed before the answer$/],
  [
    "half a status line",
    () => openRaw((socket) => socket.end("HTTP/1.1 2")),
    /^connection closed|^the answer is no HTTP/,
  ],
  ["no HTTP", () => openRaw("220 mail.example.net ESMTP\r\n"), /^the answer is no HTTP$/],
  ["endless headers", () => openRaw(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(70_000)}`), /^headers of the answer too long$/],
  ["an upgrade", () => openRaw("HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), /^connection closed/],
  [
    "IPv6: a close without answer",
    () => openRaw((socket) => socket.end(), "::1"),
    /^connection closed before the answer$/,
  ],
  ["IPv6: nobody there", async () => "http://[::1]:9/", /^connection refused$/],
  ["nobody there", async () => `http://${loopbackAddress()}:9/`, /^connection refused$/],
  ["no such name", async () => "http://nowhere.invalid/", /nowhere\.invalid/],
  ["a refused network", async () => "http://10.0.0.1/", /a network that is refused$/],
];

it.concurrent.each(TROUBLES)("shows why in GET /v1/notifications/dead: %s", async (_, start, reason) => {
  const url = await start();
  const account = await notifier.account({ url });
  const job = testJob(account);
  await notifier.publish(job.life(0));
  const [item] = await eventually(async () => {
    const { body } = await notifier.system.control.get<{ items: Item[] }>(
      `/v1/notifications/dead?account=${account._id}`,
    );
    return body.items.length > 0 ? body.items : undefined;
  }, 60_000);
  expect(item).toMatchObject({ url, jobId: job.head.jobId, reason: expect.stringMatching(reason) as string });
});
