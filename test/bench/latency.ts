// Latency of a single mail on an idle system: from its acceptance (250 or 202) to the relay's 250, one after the other.
import { connect } from "node:net";
import { once } from "node:events";
import type { Sink } from "./sink.ts";
import { RECIPIENT, SENDER } from "./sources.ts";

export interface Latency {
  p50: number;
  p99: number;
}

/** An SMTP client that sends one mail at a time over one connection, as an application would. */
export class OneByOne {
  readonly #socket;
  #buffer = "";
  #waiting: { resolve: (text: string) => void; reject: (error: Error) => void } | undefined;

  constructor(port: number) {
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("data", (chunk: Buffer) => {
      this.#buffer += chunk.toString("latin1");
      const last = /(^|\n)\d{3} [^\n]*\r\n$/.exec(this.#buffer);
      if (last === null) return;
      const text = this.#buffer;
      this.#buffer = "";
      this.#waiting?.resolve(text);
    });
    this.#socket.on("error", (error) => this.#waiting?.reject(error));
    this.#socket.on("close", () => this.#waiting?.reject(new Error("the server closed the connection")));
  }

  async open(): Promise<void> {
    await this.#answer();
    await this.#ask("EHLO bench.example");
  }

  /** Resolves with performance.now() at the 250 to the final dot. */
  async send(token: string, body: string): Promise<number> {
    await this.#ask(`MAIL FROM:<${SENDER}>`);
    await this.#ask(`RCPT TO:<${RECIPIENT}>`);
    await this.#ask("DATA");
    const answer = await this.#ask(`From: ${SENDER}\r\nTo: ${RECIPIENT}\r\nSubject: ${token}\r\n\r\n${body}\r\n.`);
    if (!answer.startsWith("250")) throw new Error(`the final dot was answered ${answer}`);
    return performance.now();
  }

  async close(): Promise<void> {
    this.#waiting = undefined;
    this.#socket.end("QUIT\r\n");
    await once(this.#socket, "close");
  }

  #answer(): Promise<string> {
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  #ask(command: string): Promise<string> {
    const answer = this.#answer();
    this.#socket.write(`${command}\r\n`);
    return answer;
  }
}

/** Milliseconds from acceptance to the far end for each of `count` mails. A mail that is relayed before it is accepted counts as 0. */
export async function latencies(port: number, sink: Sink, options: { count: number; body: string }): Promise<number[]> {
  const client = new OneByOne(port);
  await client.open();
  const found: number[] = [];
  for (let index = 0; index < options.count; index += 1) {
    const token = `latency-${index}-${process.pid}`;
    const arrived = new Promise<number>((resolve) => {
      sink.onMail = (raw, atMs) => {
        if (raw.includes(token)) resolve(atMs);
      };
    });
    const acceptedMs = await client.send(token, options.body);
    found.push(Math.max(0, (await arrived) - acceptedMs));
  }
  sink.onMail = undefined;
  await client.close();
  return found;
}
