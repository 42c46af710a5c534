// The endpoint of the bench in a thread of its own: answers every POST, and tells how long each mail's life took until then.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parentPort } from "node:worker_threads";
import type { PushNotification } from "#shared/contracts/push-notification.ts";

const REPORT_MS = 20;
let lives: number[] = [];

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const at = Date.now();
    response.end();
    const { meta, notifications } = JSON.parse(Buffer.concat(chunks).toString()) as PushNotification;
    for (const { meta: told } of notifications) {
      if (told.event.state === "FINISHED") lives.push(at - Date.parse(meta.receivedTs));
    }
  });
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
parentPort?.postMessage(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
setInterval(() => {
  if (lives.length > 0) parentPort?.postMessage(lives);
  lives = [];
}, REPORT_MS);
