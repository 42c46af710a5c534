// Endpoints of the notification bench in a thread of their own, so that feeding does not slow their answers.
// Each takes what comes and notes the lag of every tracking point, or hangs.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import type { PushNotification } from "#shared/contracts/push-notification.ts";

/** What the thread tells: where it listens, once; then what came since it last told. */
export type EndpointReport = { kind: "urls"; urls: string[] } | { kind: "lags"; lags: number[]; posts: number };

/** What the thread is told: who hangs from now on, and whose answers are not counted. */
export interface EndpointOrder {
  hanging: readonly number[];
  uncounted: readonly number[];
}

const REPORT_MS = 50;
let hanging = new Set<number>();
let uncounted = new Set<number>();
let lags: number[] = [];
let posts = 0;

async function open(index: number): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (hanging.has(index)) return;
      if (uncounted.has(index)) return void response.end();
      const at = Date.now();
      const push = JSON.parse(Buffer.concat(chunks).toString()) as PushNotification;
      posts += 1;
      for (const { meta } of push.notifications) lags.push(at - Date.parse(meta.event.ts));
      response.end();
    });
  });
  const address = `127.9.${index % 250}.${1 + Math.floor(index / 250)}`;
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  return `http://${address}:${(server.address() as AddressInfo).port}/`;
}

function tell(report: EndpointReport): void {
  parentPort?.postMessage(report);
}

const { count } = workerData as { count: number };
const urls: string[] = [];
for (let index = 0; index < count; index += 1) urls.push(await open(index));
tell({ kind: "urls", urls });
parentPort?.on("message", (order: EndpointOrder) => {
  hanging = new Set(order.hanging);
  uncounted = new Set(order.uncounted);
});
setInterval(() => {
  if (lags.length === 0) return;
  tell({ kind: "lags", lags, posts });
  lags = [];
  posts = 0;
}, REPORT_MS);
