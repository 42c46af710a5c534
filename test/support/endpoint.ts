// A scripted HTTP endpoint for push notifications: records every request as it came, answers as the script says.
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createHttp } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { hostInUrl } from "#shared/network/host-in-url.ts";
import type { JobMeta, Notification, PushNotification } from "#shared/contracts/push-notification.ts";
import { loopbackAddress } from "./addresses.ts";
import type { IssuedCertificate } from "./certificate.ts";

export interface RecordedRequest {
  method: string;
  path: string;
  headers: Readonly<Record<string, string>>;
  /** Name, value, name, value … as they came. */
  rawHeaders: readonly string[];
  raw: Buffer;
  body: PushNotification;
  at: number;
  httpVersion: string;
}

export interface EndpointAnswer {
  status?: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
  delayMs?: number;
  /** Cuts the connection instead of answering. */
  reset?: boolean;
  /** Never answers. */
  hang?: boolean;
  /** Sends a body that never ends. */
  endless?: boolean;
}

export type EndpointScript = (request: RecordedRequest, count: number) => EndpointAnswer | undefined;

export interface ReceivedNotification extends Notification {
  job: JobMeta;
  at: number;
}

export interface Endpoint {
  readonly url: string;
  readonly address: string;
  readonly port: number;
  readonly requests: readonly RecordedRequest[];
  /** Every notification of every request, answered or not, in order of arrival. */
  readonly notifications: readonly ReceivedNotification[];
  /** Of requests that were answered with 2xx only. */
  readonly acknowledged: readonly ReceivedNotification[];
  of(mailId: string): readonly ReceivedNotification[];
  readonly openConnections: number;
  /** Most that were open at once; one that its client has just closed may still count. */
  readonly mostConnections: number;
  script: EndpointScript;
  close(): Promise<void>;
}

const ENDLESS_MS = 50;

function parseOf(raw: Buffer): PushNotification {
  try {
    return JSON.parse(raw.toString("utf8")) as PushNotification;
  } catch {
    return { meta: {}, notifications: [] } as unknown as PushNotification;
  }
}

async function recordOf(request: IncomingMessage): Promise<RecordedRequest> {
  const raw = await buffer(request);
  const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)] as const);
  return {
    method: request.method ?? "",
    path: request.url ?? "",
    headers: Object.fromEntries(headers),
    rawHeaders: request.rawHeaders,
    raw,
    body: parseOf(raw),
    at: Date.now(),
    httpVersion: request.httpVersion,
  };
}

function flattened(requests: readonly RecordedRequest[]): ReceivedNotification[] {
  return requests.flatMap(({ body, at }) => body.notifications.map((item) => ({ ...item, job: body.meta, at })));
}

async function respond(response: ServerResponse, answer: EndpointAnswer): Promise<void> {
  if (answer.delayMs !== undefined) await sleep(answer.delayMs);
  if (answer.hang === true) return;
  if (answer.reset === true) return void response.socket?.resetAndDestroy();
  response.writeHead(answer.status ?? 200, answer.headers ?? {});
  if (answer.endless !== true) return void response.end(answer.body ?? "");
  const timer = setInterval(() => response.write("x".repeat(1_024)), ENDLESS_MS);
  response.once("close", () => clearInterval(timer));
}

export interface EndpointOptions {
  address?: string;
  port?: number;
  tls?: IssuedCertificate;
}

export async function startEndpoint(script?: EndpointScript, options: EndpointOptions = {}): Promise<Endpoint> {
  const address = options.address ?? loopbackAddress();
  const requests: RecordedRequest[] = [];
  const acknowledged: RecordedRequest[] = [];
  const sockets = new Set<Socket>();
  let mostConnections = 0;
  const listener = (incoming: IncomingMessage, response: ServerResponse): void => {
    void recordOf(incoming).then(
      async (request) => {
        requests.push(request);
        const answer = result.script(request, requests.length) ?? {};
        const status = answer.status ?? 200;
        if (answer.reset !== true && answer.hang !== true && status >= 200 && status < 300) acknowledged.push(request);
        await respond(response, answer);
      },
      () => response.destroy(),
    );
  };
  const server = options.tls === undefined ? createHttp(listener) : createHttps({ ...options.tls }, listener);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    mostConnections = Math.max(mostConnections, sockets.size);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, address, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const host = hostInUrl(address);
  const result: Endpoint = {
    url: `${options.tls === undefined ? "http" : "https"}://${host}:${port}/notifications`,
    address,
    port,
    requests,
    get notifications() {
      return flattened(requests);
    },
    get acknowledged() {
      return flattened(acknowledged);
    },
    of: (mailId) => flattened(requests).filter((item) => item.meta.mail.id === mailId),
    get openConnections() {
      return sockets.size;
    },
    get mostConnections() {
      return mostConnections;
    },
    script: script ?? (() => undefined),
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
  return result;
}
