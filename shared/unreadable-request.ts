// What is no HTTP request, or comes too slowly, is answered by a problem like all else (operator contract, Administration API).
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Problem } from "#shared/contracts/problem.ts";

function problemOf(code: string | undefined): Problem {
  const problem = (status: 400 | 408 | 431, detail: string): Problem => ({
    type: "about:blank",
    title: STATUS_CODES[status] ?? "",
    status,
    detail,
  });
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return problem(408, "The request did not come in time.");
  if (code === "HPE_HEADER_OVERFLOW") return problem(431, "The headers are too long.");
  return problem(400, "This is no HTTP request that can be read.");
}

/** For connections on which Node reads no request: answers, and closes. */
export function refuseUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  const problem = problemOf(error.code);
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${problem.title}`,
    "Content-Type: application/problem+json; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  if (socket.writable) socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  socket.destroy(error);
}
