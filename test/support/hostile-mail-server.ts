// A mail server that misbehaves at one step of the conversation: raw sockets, no library between test and wire.
import type { Server, Socket } from "node:net";
import { createServer } from "node:net";
import { loopbackAddress, nameOf } from "./addresses.ts";

export const HOSTILE_STEPS = ["greeting", "ehlo", "starttls", "mail", "rcpt", "data", "dot", "rset", "quit"] as const;
export type HostileStep = (typeof HOSTILE_STEPS)[number];

/**
 * `hang`: never answers; `drop`: closes; `reset`: closes with RST; `garbage`: answers bytes that are no reply;
 * `trickle`: one byte a second; `flood`: megabytes of reply lines, then the answer; `reply`: these bytes as they are.
 */
export type Misbehaviour =
  | { kind: "hang" | "drop" | "reset" | "garbage" | "trickle" }
  | { kind: "flood"; megabytes: number }
  | { kind: "reply"; bytes: string };

export interface HostileServer {
  readonly address: string;
  readonly port: number;
  readonly host: string;
  /** Every command line that it got, over all connections. */
  readonly commands: readonly string[];
  /** What stood between DATA and the final dot, as it came over the wire. */
  readonly messages: readonly Buffer[];
  readonly connections: number;
  readonly openConnections: number;
  /** Which steps misbehave, and how; may be changed at any time. */
  behaviour: Partial<Record<HostileStep, Misbehaviour>>;
  close(): Promise<void>;
}

const ORDINARY: Readonly<Record<HostileStep, string>> = {
  greeting: "220 hostile.test ESMTP\r\n",
  ehlo: "250-hostile.test\r\n250-8BITMIME\r\n250-SIZE 52428800\r\n250 ENHANCEDSTATUSCODES\r\n",
  starttls: "220 2.0.0 Go ahead\r\n",
  mail: "250 2.1.0 Ok\r\n",
  rcpt: "250 2.1.5 Ok\r\n",
  data: "354 End data with <CR><LF>.<CR><LF>\r\n",
  dot: "250 2.0.0 Ok: queued as HOSTILE1\r\n",
  rset: "250 2.0.0 Ok\r\n",
  quit: "221 2.0.0 Bye\r\n",
};

const STEP_OF_COMMAND: Readonly<Record<string, HostileStep>> = {
  EHLO: "ehlo",
  HELO: "ehlo",
  STAR: "starttls",
  MAIL: "mail",
  RCPT: "rcpt",
  DATA: "data",
  RSET: "rset",
  QUIT: "quit",
};

const TRICKLE_MS = 1_000;
const FLOOD_LINE = `250-${"x".repeat(500)}\r\n`;

function trickle(socket: Socket, text: string): void {
  let at = 0;
  const timer = setInterval(() => {
    if (socket.destroyed || at >= text.length) clearInterval(timer);
    else socket.write(text.slice(at, (at += 1)));
  }, TRICKLE_MS);
  socket.once("close", () => clearInterval(timer));
}

function flood(socket: Socket, megabytes: number, ending: string): void {
  const code = ending.slice(0, 3);
  const line = code + FLOOD_LINE.slice(3);
  const block = line.repeat(2_000);
  let left = Math.ceil((megabytes * 1024 * 1024) / block.length);
  const more = (): void => {
    while (left > 0 && !socket.destroyed) {
      left -= 1;
      if (!socket.write(block)) return void socket.once("drain", more);
    }
    if (!socket.destroyed) socket.write(ending);
  };
  more();
}

function perform(socket: Socket, step: HostileStep, how: Misbehaviour | undefined): void {
  switch (how?.kind) {
    case undefined:
      socket.write(ORDINARY[step]);
      if (step === "quit") socket.end();
      return;
    case "hang":
      return;
    case "drop":
      return socket.destroySoon();
    case "reset":
      return void socket.resetAndDestroy();
    case "garbage":
      return void socket.write(Buffer.from([0, 255, 13, 10, 1, 2, 3, 200, 13, 10, 65, 66, 67, 13, 10]));
    case "trickle":
      return trickle(socket, ORDINARY[step]);
    case "flood":
      return flood(socket, how.megabytes, ORDINARY[step]);
    case "reply":
      return void socket.write(Buffer.from(how.bytes, "latin1"));
  }
}

interface Conversations {
  commands: string[];
  messages: Buffer[];
}

/** One conversation: command lines, and after DATA everything up to the final dot. There is no TLS: its handshake gets no answer. */
function converse(socket: Socket, record: Conversations, say: (step: HostileStep) => void): void {
  let pending: Buffer = Buffer.alloc(0);
  let isData = false;
  socket.on("error", () => undefined);
  let isDeaf = false;
  socket.on("data", (bytes: Buffer) => {
    if (isDeaf) return;
    pending = Buffer.concat([pending, bytes]);
    for (;;) {
      const end = isData ? pending.indexOf("\r\n.\r\n") : pending.indexOf("\r\n");
      if (end < 0) return;
      const part = pending.subarray(0, isData ? end + 2 : end);
      pending = pending.subarray(end + (isData ? 5 : 2));
      if (isData) {
        isData = false;
        record.messages.push(Buffer.from(part));
        say("dot");
        continue;
      }
      const line = part.toString("utf8");
      record.commands.push(line);
      const step = STEP_OF_COMMAND[line.slice(0, 4).toUpperCase()];
      if (step === undefined) socket.write("502 5.5.1 not implemented\r\n");
      else say(step);
      isData = step === "data";
      isDeaf = step === "starttls";
    }
  });
}

export async function startHostileServer(
  behaviour: Partial<Record<HostileStep, Misbehaviour>> = {},
  options: { address?: string; port?: number } = {},
): Promise<HostileServer> {
  const address = options.address ?? loopbackAddress();
  const record: Conversations = { commands: [], messages: [] };
  const sockets = new Set<Socket>();
  let connections = 0;
  const server: Server = createServer({ noDelay: true }, (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    const say = (step: HostileStep): void => perform(socket, step, result.behaviour[step]);
    converse(socket, record, say);
    say("greeting");
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, address, resolve);
  });
  const bound = server.address();
  const result: HostileServer = {
    address,
    port: bound !== null && typeof bound === "object" ? bound.port : 0,
    host: nameOf(address),
    commands: record.commands,
    messages: record.messages,
    get connections() {
      return connections;
    },
    get openConnections() {
      return sockets.size;
    },
    behaviour,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
  return result;
}
