// One SMTP session, on top of smtp-server's: our own enhanced status codes, no AUTH before TLS, addresses as they were
// given, lines that end in CRLF alone, and an end to clients that take for ever.
import type { Socket } from "node:net";
import type { SMTPServer } from "smtp-server";
import type { SMTPConnectionOptions } from "smtp-server/lib/smtp-connection.js";
import { SMTPConnection } from "smtp-server/lib/smtp-connection.js";
import { SMTPStream } from "smtp-server/lib/smtp-stream.js";
import { parsePathCommand } from "./smtp-path.ts";

export interface SessionLimits {
  /** Longest wait for the TLS handshake and for the next complete command of a client that has not been let in. */
  strangerMs: number;
  /** The same once an account is known (RFC 5321 §4.5.3.2.7: 5 minutes at least). */
  commandMs: number;
  /** Longest time for one whole message. */
  dataMs: number;
}

export const SESSION_LIMITS: SessionLimits = { strangerMs: 60_000, commandMs: 300_000, dataMs: 600_000 };

/** Commands without a message between them after which a session is ended. */
const MOST_IDLE_COMMANDS = 100;
const ENHANCED = /^[245]\.\d{1,3}\.\d{1,3} /;
const MOST_COMMAND_BYTES = 16_384;
const LOGGED_IN = 235;
const BARE_NEWLINE = "5.5.2 a line must end in CRLF";

/** The command parser, refusing lines that do not end in CRLF: the library takes a bare LF for an end too. */
class StrictStream extends SMTPStream {
  #endsInCr = false;

  override _write(chunk: Buffer, encoding: BufferEncoding | "buffer", next: (error?: Error | null) => void): void {
    if (!this._dataMode && !this.isClosed && this.#hasBareNewline(chunk)) {
      next(new Error(BARE_NEWLINE));
      return;
    }
    super._write(chunk, encoding, next);
  }

  override startDataMode(maxBytes?: number | string | null): ReturnType<SMTPStream["startDataMode"]> {
    this.#endsInCr = false;
    return super.startDataMode(maxBytes);
  }

  #hasBareNewline(chunk: Buffer): boolean {
    const startsWithLf = chunk[0] === 0x0a;
    const isCut = chunk.length > 0 && this.#endsInCr !== startsWithLf;
    this.#endsInCr = chunk.at(-1) === 0x0d;
    return isCut || /[^\r]\n|\r[^\n]/.test(chunk.toString("latin1"));
  }
}

export interface SubmissionConnectionOptions extends SMTPConnectionOptions {
  limits: SessionLimits;
  /** Called when we have ended the session, and when it is gone. */
  onEnd: () => void;
}

export class SubmissionConnection extends SMTPConnection {
  readonly #limits: SessionLimits;
  readonly #onEnd: () => void;
  #idleCommands = 0;
  #timer: NodeJS.Timeout | undefined;
  #armedMs = 0;
  #isDraining = false;

  constructor(server: SMTPServer, socket: Socket, options: SubmissionConnectionOptions) {
    super(server, socket, options);
    this.#limits = options.limits;
    this.#onEnd = options.onEnd;
  }

  override close(): void {
    super.close();
    this.#onEnd();
  }

  /** Not by the socket's own events: with STARTTLS the library takes all listeners from it. */
  override _onClose(): void {
    super._onClose();
    clearTimeout(this.#timer);
    this.#onEnd();
  }

  /** Greets at once: the library waits 100 ms for early talkers, which every connection would pay for. */
  override init(): void {
    this._setListeners(() => this.connectionReady());
  }

  /** Ends the session when it is idle; otherwise after the transaction that it is in. */
  drain(): void {
    this.#isDraining = true;
    if (!this.#isInTransaction && !this._upgrading) this.send(421, "4.3.2 the service is shutting down");
  }

  get #isInTransaction(): boolean {
    return this._handlerPending || Boolean(this.session.envelope?.mailFrom) || Boolean(this._dataStream);
  }

  /** A text that begins with an enhanced status code brings its own; the library would put its guess before it. */
  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    const isOwn = typeof data === "string" && ENHANCED.test(data);
    super.send(code, data, isOwn ? false : context);
    if (code === LOGGED_IN) this.#arm();
  }

  override _createParser(): SMTPStream {
    const parser = new StrictStream({ maxCommandLength: MOST_COMMAND_BYTES });
    parser.oncommand = (command, callback) => this._onCommand(command, callback);
    parser.on("error", (error) => {
      this.send(500, ENHANCED.test(error.message) ? error.message : `5.5.2 ${error.message}`);
      this.close();
    });
    return parser;
  }

  override _onCommand(command: Buffer, callback?: () => void): void {
    // Within a transaction, the recipients of a large mail: their number is bounded by itself.
    if (!this.session.envelope?.mailFrom) this.#idleCommands += 1;
    this.#arm();
    if (this.#isDraining && !this.session.envelope?.mailFrom) {
      this.send(421, "4.3.2 the service is shutting down");
    } else if (this.#idleCommands > MOST_IDLE_COMMANDS && !this.session.envelope?.mailFrom) {
      this.send(421, "4.7.0 too many commands without a message");
    } else {
      super._onCommand(command, callback);
    }
  }

  override _resetSession(): void {
    super._resetSession();
    this.#arm();
    if (this.#isDraining) setImmediate(() => this.drain());
  }

  /** Ends the session when the client has not come to the end of its command or message in time. */
  #arm(ms = this.#isStranger ? this.#limits.strangerMs : this.#limits.commandMs): void {
    if (this._closing || this._closed) return clearTimeout(this.#timer);
    // With each command: begun anew where that will do, which is cheaper than another timer.
    if (ms === this.#armedMs && this.#timer !== undefined) return void this.#timer.refresh();
    clearTimeout(this.#timer);
    this.#armedMs = ms;
    this.#timer = setTimeout(() => this.#expire(), ms);
    this.#timer.unref();
  }

  get #isStranger(): boolean {
    return !this.session.user && this._transactionCounter === 0 && !this.session.envelope?.mailFrom;
  }

  #expire(): void {
    const isOurTurn = this._parser !== false && !this._parser._dataMode && this.#isWaitingForUs;
    if (isOurTurn) this.#arm();
    else this.send(421, "4.4.2 timeout, closing the connection");
  }

  get #isWaitingForUs(): boolean {
    return this._handlerPending || Boolean(this._dataStream);
  }

  override handler_EHLO(command: Buffer, callback: () => void): void {
    const authMethods = this._server.options.authMethods;
    if (!this.secure) this._server.options.authMethods = [];
    try {
      super.handler_EHLO(command, callback);
    } finally {
      this._server.options.authMethods = authMethods;
    }
  }

  /** Every recipient is kept: the library takes local parts that differ in case alone for one. */
  override handler_RCPT(command: Buffer, callback: () => void): void {
    this._rcptIndex.clear();
    super.handler_RCPT(command, callback);
  }

  override handler_DATA(command: Buffer, callback: () => void): void {
    super.handler_DATA(command, callback);
    if (this._dataStream === false || this._dataStream === null) return;
    this.#idleCommands = 0;
    this.#arm(this.#limits.dataMs);
  }

  /** The library reads the parameters; the path is ours, as it was given (quoted local parts, no rewritten domain). */
  override _parseAddressCommand(
    name: string,
    command: Buffer | string,
  ): ReturnType<SMTPConnection["_parseAddressCommand"]> {
    const parsed = parsePathCommand(name.toUpperCase(), command.toString());
    if (parsed === undefined) return false;
    const rest = super._parseAddressCommand(name, `${name}:<> ${parsed.parameters}`);
    return rest === false ? false : { ...rest, address: parsed.path };
  }
}
