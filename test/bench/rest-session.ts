// A client over one keep-alive connection that sends requests made beforehand: what a source costs is taken from the same
// processors as what it feeds, and an HTTP client of Node's takes several times what smtp-source does.
import type { Socket } from "node:net";
import { connect } from "node:net";
import { once } from "node:events";

const HOST = "127.0.0.1";
const HEAD_END = "\r\n\r\n";

export interface RestSession {
  /** Sends a request as it is; resolves when its answer is there, and throws where that is no 202. */
  ask(request: Buffer): Promise<void>;
  close(): void;
}

/** Whether `text` is an answer to its end. Ingest tells the length of each. */
function isWhole(text: string): boolean {
  const end = text.indexOf(HEAD_END);
  if (end === -1) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end))?.[1];
  return length !== undefined && text.length >= end + HEAD_END.length + Number(length);
}

export async function openRestSession(port: number): Promise<RestSession> {
  const socket: Socket = connect({ host: HOST, port, noDelay: true });
  await once(socket, "connect");
  let text = "";
  let waiting: { resolve: () => void; reject: (error: Error) => void } | undefined;
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
    if (!isWhole(text)) return;
    const answer = text;
    text = "";
    if (answer.startsWith("HTTP/1.1 202 ")) waiting?.resolve();
    else waiting?.reject(new Error(`ingest answered ${answer.slice(0, 600)}`));
  });
  socket.on("error", (error) => waiting?.reject(error));
  socket.on("close", () => waiting?.reject(new Error("ingest closed the connection")));
  return {
    ask: (request) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket.write(request);
      }),
    close: () => socket.destroy(),
  };
}

/** A POST of a job in JSON, as its bytes. */
export function requestOf(authorization: string, body: string): Buffer {
  const head = [
    "POST /v1/jobs HTTP/1.1",
    `Host: ${HOST}`,
    `Authorization: ${authorization}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
  ].join("\r\n");
  return Buffer.from(`${head}${HEAD_END}${body}`);
}
