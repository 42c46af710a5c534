// The mail server at the far end: as little work as an SMTP dialogue allows, so that it is never the bound.
import type { Socket } from "node:net";
import { createServer } from "node:net";

const END_OF_DATA = Buffer.from("\r\n.\r\n");
const CAPABILITIES = "250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 30000000\r\n";

interface Dialogue {
  pending: Buffer;
  isData: boolean;
}

/** Counts the mails that it accepted; says when one came to whoever listens. */
export class Sink {
  accepted = 0;
  connections = 0;
  mostConnections = 0;
  /** Called for each accepted mail with its raw bytes and performance.now(). */
  onMail: ((raw: Buffer, atMs: number) => void) | undefined;
  /** Answers one final dot in so many with 451; 0: none. */
  deferOneIn = 0;
  /** Delay of each reply in ms: the round trip to a relay far away. */
  replyDelayMs = 0;
  #dots = 0;
  #waiters: { count: number; resolve: () => void }[] = [];
  readonly #server = createServer((socket) => this.#serve(socket));

  async listen(port = 0): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", 1024, resolve));
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  /** Resolves when `count` mails have been accepted. Rejects after `timeoutMs`. */
  reached(count: number, timeoutMs: number): Promise<void> {
    if (this.accepted >= count) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`the sink has ${this.accepted} of ${count} mails after ${timeoutMs} ms`)),
        timeoutMs,
      );
      this.#waiters.push({ count, resolve: () => (clearTimeout(timer), resolve()) });
    });
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #accept(raw: Buffer): string {
    this.#dots += 1;
    if (this.deferOneIn > 0 && this.#dots % this.deferOneIn === 0) return "451 4.3.0 try again later\r\n";
    this.accepted += 1;
    this.onMail?.(raw, performance.now());
    for (const waiter of this.#waiters.filter((item) => item.count <= this.accepted)) waiter.resolve();
    this.#waiters = this.#waiters.filter((item) => item.count > this.accepted);
    return "250 2.0.0 Ok: queued as SINK\r\n";
  }

  #reply(socket: Socket, text: string): void {
    if (this.replyDelayMs === 0) socket.write(text);
    else setTimeout(() => socket.write(text), this.replyDelayMs);
  }

  /** Reads one connection: command lines, and after DATA everything up to the final dot. */
  #serve(socket: Socket): void {
    const dialogue: Dialogue = { pending: Buffer.alloc(0), isData: false };
    socket.setNoDelay(true);
    this.connections += 1;
    this.mostConnections = Math.max(this.mostConnections, this.connections);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => (this.connections -= 1));
    socket.on("data", (chunk: Buffer) => {
      dialogue.pending = dialogue.pending.length === 0 ? chunk : Buffer.concat([dialogue.pending, chunk]);
      const answer = this.#advance(dialogue);
      if (answer !== "") this.#reply(socket, answer);
    });
    this.#reply(socket, "220 sink.example ESMTP\r\n");
  }

  #advance(dialogue: Dialogue): string {
    let answer = "";
    for (;;) {
      const end = dialogue.isData ? dialogue.pending.indexOf(END_OF_DATA) : dialogue.pending.indexOf(10);
      if (end < 0) return answer;
      if (dialogue.isData) {
        answer += this.#accept(dialogue.pending.subarray(0, end + 2));
        dialogue.pending = dialogue.pending.subarray(end + END_OF_DATA.length);
        dialogue.isData = false;
      } else {
        const verb = dialogue.pending.toString("latin1", 0, Math.min(4, end)).toUpperCase();
        dialogue.pending = dialogue.pending.subarray(end + 1);
        dialogue.isData = verb === "DATA";
        answer += replyTo(verb);
      }
    }
  }
}

function replyTo(verb: string): string {
  switch (verb) {
    case "EHLO":
      return CAPABILITIES;
    case "DATA":
      return "354 go on\r\n";
    case "QUIT":
      return "221 2.0.0 bye\r\n";
    default:
      return "250 2.1.0 Ok\r\n";
  }
}
