// An SMTP client that says exactly what a test tells it to, byte for byte.
import type { Socket } from "node:net";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import type { TestAccount } from "./system-client.ts";

export interface DialogReply {
  code: number;
  /** The enhanced status code, where there is one. */
  enhanced: string | undefined;
  /** All lines without their codes. */
  lines: readonly string[];
  text: string;
}

export interface DialogEnvelope {
  from: string;
  to: readonly string[];
  /** Behind MAIL FROM:<…>. */
  parameters?: string;
}

const REPLY_MS = 20_000;
const LINE = /^(\d{3})([ -])(?:([245]\.\d{1,3}\.\d{1,3}) )?(.*)$/;

function replyOf(lines: readonly string[]): DialogReply {
  const parsed = lines.map((line) => LINE.exec(line));
  const texts = parsed.map((match) => match?.[4] ?? "");
  return { code: Number(parsed[0]?.[1] ?? 0), enhanced: parsed[0]?.[3], lines: texts, text: texts.join(" ") };
}

export class SmtpDialog {
  #socket: Socket;
  #received = "";
  #isClosed = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#attach(socket);
  }

  /** Connects, and reads the greeting unless told not to. */
  static async open(port: number, options: { tls?: boolean; localAddress?: string } = {}): Promise<SmtpDialog> {
    const where = { port, host: "127.0.0.1", localAddress: options.localAddress ?? "127.0.0.1" };
    const socket = options.tls === true ? connectTls({ ...where, rejectUnauthorized: false }) : connect(where);
    socket.setNoDelay(true);
    return new SmtpDialog(socket);
  }

  #attach(socket: Socket): void {
    socket.on("data", (chunk: Buffer) => {
      this.#received += chunk.toString("latin1");
      this.#wake();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  write(bytes: string | Buffer): void {
    this.#socket.write(bytes);
  }

  /** The next reply; code 0 when the server closed instead. */
  async reply(): Promise<DialogReply> {
    const end = Date.now() + REPLY_MS;
    for (;;) {
      const match = /^(?:\d{3}-[^\n]*\r\n)*\d{3}(?: [^\n]*)?\r\n/.exec(this.#received);
      if (match !== null) {
        this.#received = this.#received.slice(match[0].length);
        return replyOf(match[0].split("\r\n").slice(0, -1));
      }
      if (this.#isClosed) return replyOf([]);
      if (Date.now() > end) throw new Error(`no reply within ${REPLY_MS} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(1, end - Date.now()));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async command(line: string): Promise<DialogReply> {
    this.write(Buffer.from(`${line}\r\n`, "utf8"));
    return this.reply();
  }

  /** STARTTLS and the handshake; `behind` is sent in clear with the command, as an attacker on the way would. */
  async startTls(behind = ""): Promise<void> {
    await this.command(`STARTTLS${behind === "" ? "" : `\r\n${behind}`}`);
    this.#socket.removeAllListeners("data");
    const secure = connectTls({ socket: this.#socket, rejectUnauthorized: false });
    await new Promise<void>((resolve, reject) => {
      secure.once("secureConnect", resolve);
      secure.once("error", reject);
    });
    this.#socket = secure;
    this.#attach(secure);
  }

  async plain(account: Pick<TestAccount, "name" | "password">): Promise<DialogReply> {
    return this.command(`AUTH PLAIN ${Buffer.from(`\0${account.name}\0${account.password}`).toString("base64")}`);
  }

  async login(account: Pick<TestAccount, "name" | "password">): Promise<DialogReply> {
    await this.command("AUTH LOGIN");
    await this.command(Buffer.from(account.name).toString("base64"));
    return this.command(Buffer.from(account.password).toString("base64"));
  }

  /** MAIL, every RCPT, DATA: the reply to the first that is refused, or the 354. */
  async envelope({ from, to, parameters = "" }: DialogEnvelope): Promise<DialogReply> {
    const mail = await this.command(`MAIL FROM:<${from}>${parameters === "" ? "" : ` ${parameters}`}`);
    if (mail.code !== 250) return mail;
    for (const recipient of to) {
      const rcpt = await this.command(`RCPT TO:<${recipient}>`);
      if (rcpt.code !== 250) return rcpt;
    }
    return this.command("DATA");
  }

  /** A whole transaction; `message` is sent as it is, dot-stuffed, with the final dot behind it. */
  async send(envelope: DialogEnvelope, message: string | Buffer): Promise<DialogReply> {
    const asked = await this.envelope(envelope);
    if (asked.code !== 354) return asked;
    const text = Buffer.isBuffer(message) ? message.toString("latin1") : Buffer.from(message).toString("latin1");
    this.write(Buffer.from(`${text.replace(/(^|\r\n)\./g, "$1..")}.\r\n`, "latin1"));
    return this.reply();
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** A session with TLS and the account logged in. */
export async function openSession(port: number, account: TestAccount): Promise<SmtpDialog> {
  const dialog = await SmtpDialog.open(port);
  await dialog.reply();
  await dialog.command("EHLO client.example");
  await dialog.startTls();
  await dialog.command("EHLO client.example");
  const answer = await dialog.plain(account);
  if (answer.code !== 235) throw new Error(`AUTH: ${answer.code} ${answer.text}`);
  return dialog;
}

/** The job's id in the 250 to the final dot. */
export function jobIdIn(reply: DialogReply): string {
  const id = /queued as (\S+)/.exec(reply.text)?.[1];
  if (reply.code !== 250 || id === undefined) throw new Error(`not accepted: ${reply.code} ${reply.text}`);
  return id;
}
