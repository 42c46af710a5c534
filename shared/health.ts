// `/livez`, `/readyz`, `/metrics` of every service (operator contract, Environment: WAYPOST_HEALTH_PORT).
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";

export interface HealthOptions {
  host: string;
  port: number;
  /** What keeps the service from being ready; empty when nothing does. */
  notReady(): readonly string[];
  metricsText(): Promise<string>;
}

interface Answer {
  status: number;
  type: string;
  body: string;
}

const PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8";

/** Resolves when it listens. */
export async function serveHealth(options: HealthOptions): Promise<Server> {
  const server = createServer((request, response) => void respond(options, request, response));
  server.requestTimeout = 10_000;
  server.keepAliveTimeout = 5_000;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(options.port, options.host, resolve);
  await promise;
  server.unref();
  return server;
}

async function respond(options: HealthOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const answer = await answerOf(options, request).catch((error: unknown) => plain(500, String(error)));
  const allow = answer.status === 405 ? { allow: "GET, HEAD" } : {};
  response.writeHead(answer.status, { "content-type": answer.type, "cache-control": "no-store", ...allow });
  response.end(request.method === "HEAD" ? undefined : answer.body);
}

async function answerOf(options: HealthOptions, request: IncomingMessage): Promise<Answer> {
  if (request.method !== "GET" && request.method !== "HEAD") return plain(405, "only GET");
  switch (request.url?.split("?")[0]) {
    case "/livez":
      return json(200, { status: "alive" });
    case "/readyz": {
      const reasons = options.notReady();
      return reasons.length === 0 ? json(200, { status: "ready" }) : json(503, { status: "not ready", reasons });
    }
    case "/metrics":
      return { status: 200, type: PROMETHEUS_TEXT, body: await options.metricsText() };
    default:
      return plain(404, "there are /livez, /readyz and /metrics");
  }
}

const plain = (status: number, body: string): Answer => ({ status, type: "text/plain; charset=utf-8", body });
const json = (status: number, body: object): Answer => ({
  status,
  type: "application/json",
  body: JSON.stringify(body),
});
