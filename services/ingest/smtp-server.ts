// The SMTP listeners (contract, JobRequest over SMTP): smtp-server speaks the protocol, our sessions decide. One with
// STARTTLS, and one with TLS from the first byte where a port is set for it.
import type { Server, Socket } from "node:net";
import { createServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { SMTPServerOptions } from "smtp-server";
import { SMTPServer } from "smtp-server";
import { MAX_ADDRESSES, MAX_MAIL_BYTES } from "#shared/contracts/job-request.ts";
import { isRetriable } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import type { SessionLimits } from "./smtp-connection.ts";
import { SubmissionConnection } from "./smtp-connection.ts";
import { BUSY, SmtpRefusal } from "./smtp-refusal.ts";
import type { SessionHandlers } from "./smtp-session.ts";
import type { TlsPair } from "./smtp-tls.ts";

export interface SmtpListenerOptions {
  bind: string;
  hostname: string;
  tls: TlsPair;
  /** WAYPOST_SMTP_MAX_CONNECTIONS: for one source address, over both listeners. */
  maxConnections: number;
  limits: SessionLimits;
  handlers: SessionHandlers;
  log: Log;
}

export interface SmtpListeners {
  /** Listens on a port, with TLS from the first byte or with STARTTLS; resolves with the port. */
  listen(port: number, isImplicitTls: boolean): Promise<number>;
  /** Takes no new sessions, lets transactions end, and resolves when the last session is gone. */
  close(): Promise<void>;
}

const DISABLED_COMMANDS = ["XCLIENT", "XFORWARD", "WIZ", "SHELL", "KILL"];

class SubmissionServer extends SMTPServer {
  readonly #limits: SessionLimits;
  readonly #log: Log;

  constructor(options: SMTPServerOptions, limits: SessionLimits, log: Log) {
    super(options);
    this.#limits = limits;
    this.#log = log;
    this.on("error", (error) => log.debug({ err: error }, "ingest.smtp-session-failed"));
  }

  begin(socket: Socket, onEnd = (): void => undefined): void {
    const connection = new SubmissionConnection(this, socket, { limits: this.#limits, onEnd });
    this.connections.add(connection);
    connection.on("error", (error: Error) => this.#log.debug({ err: error }, "ingest.smtp-session-failed"));
    connection.init();
  }

  drain(): void {
    for (const connection of this.connections) {
      if (connection instanceof SubmissionConnection) connection.drain();
    }
  }
}

/** The client closed the connection in the middle of its message: smtp-server ends the message's stream with this. */
function hasLeft(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ECONNECTION";
}

/** What a handler threw, as a reply: a refusal as it is, anything else as a fault of ours that may pass. */
function replyOf(error: unknown, log: Log): Error {
  if (error instanceof SmtpRefusal) return error;
  if (hasLeft(error)) log.debug({ err: error }, "ingest.smtp-session-failed");
  else if (!isRetriable(error)) log.error({ err: error }, "ingest.smtp-failed");
  return new SmtpRefusal(BUSY, error);
}

type Answer<T> = { ok: true; value: T } | { ok: false; error: Error };

async function settle<T>(work: Promise<T>, log: Log, reply: (answer: Answer<T>) => void): Promise<void> {
  const answer = await work.then(
    (value): Answer<T> => ({ ok: true, value }),
    (error: unknown): Answer<T> => ({ ok: false, error: replyOf(error, log) }),
  );
  reply(answer);
}

/** smtp-server's callbacks, answered by our handlers. */
function callbacksOf({ handlers, log }: SmtpListenerOptions): SMTPServerOptions {
  const decide = (callback: (error?: Error | null) => void, work: () => void): void => {
    try {
      work();
    } catch (error) {
      return callback(replyOf(error, log));
    }
    return callback();
  };
  return {
    onConnect: (_session, callback) => callback(),
    onSecure: (_socket, _session, callback) => callback(),
    onAuth: (auth, session, callback) => {
      const work = handlers.login(auth.username ?? "", auth.password ?? "", session.remoteAddress);
      void settle(work, log, (answer) => (answer.ok ? callback(null, { user: answer.value }) : callback(answer.error)));
    },
    onMailFrom: (address, session, callback) => {
      void settle(handlers.mail(address, session), log, (answer) => callback(answer.ok ? null : answer.error));
    },
    onRcptTo: (address, session, callback) => decide(callback, () => handlers.rcpt(address, session)),
    onData: (stream, session, callback) => {
      void settle(handlers.data(stream, session), log, (answer) =>
        answer.ok ? callback(null, answer.value) : callback(answer.error),
      );
    },
  };
}

function serverOptionsOf(options: SmtpListenerOptions, isImplicitTls: boolean): SMTPServerOptions {
  return {
    ...callbacksOf(options),
    secure: isImplicitTls,
    cert: options.tls.cert,
    key: options.tls.key,
    minVersion: "TLSv1.2",
    name: options.hostname,
    banner: "Waypost",
    heloResponse: "%s",
    size: MAX_MAIL_BYTES,
    rejectOversized: true,
    maxRecipients: MAX_ADDRESSES,
    authMethods: ["PLAIN", "LOGIN"],
    authOptional: true,
    hideENHANCEDSTATUSCODES: false,
    disableReverseLookup: true,
    disabledCommands: DISABLED_COMMANDS,
    socketTimeout: options.limits.commandMs,
    logger: false,
  };
}

/**
 * Counts connections by source address, from the first packet on: also those that never end their TLS handshake. One that
 * we have ended counts no more: the client may open its next before our side has heard of the close. Answers what is to be
 * called at the end of the session too, undefined where there are too many.
 */
function createConnectionCount(most: number): (socket: Socket) => (() => void) | undefined {
  const open = new Map<string, number>();
  return (socket) => {
    const address = socket.remoteAddress ?? "";
    const count = open.get(address) ?? 0;
    if (count >= most) return undefined;
    open.set(address, count + 1);
    let isCounted = true;
    const leave = (): void => {
      if (!isCounted) return;
      isCounted = false;
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    };
    socket.once("finish", leave);
    socket.once("close", leave);
    return leave;
  };
}

export function createSmtpListeners(options: SmtpListenerOptions): SmtpListeners {
  const admit = createConnectionCount(options.maxConnections);
  const servers: { network: Server; smtp: SubmissionServer }[] = [];
  const refuse = (socket: Socket): void => {
    socket.on("error", () => socket.destroy());
    socket.end(`421 ${options.hostname} too many connections from your address\r\n`);
    socket.setTimeout(options.limits.strangerMs, () => socket.destroy());
    socket.resume();
  };
  const open = (isImplicitTls: boolean): { network: Server; smtp: SubmissionServer } => {
    const smtp = new SubmissionServer(serverOptionsOf(options, isImplicitTls), options.limits, options.log);
    if (!isImplicitTls) {
      const take = (socket: Socket): void => {
        const leave = admit(socket);
        if (leave === undefined) refuse(socket);
        else smtp.begin(socket, leave);
      };
      return { network: createServer({ noDelay: true }, take), smtp };
    }
    const { cert, key } = options.tls;
    const secure = { cert, key, minVersion: "TLSv1.2" as const, handshakeTimeout: options.limits.strangerMs };
    // Counted by the socket below: nobody takes its listeners.
    const handshakes = createTlsServer(secure, (socket) => smtp.begin(socket));
    handshakes.on("tlsClientError", (error, socket) => {
      options.log.debug({ err: error }, "ingest.smtp-tls-failed");
      // Node closes what fails, but not what has come to no end in time.
      socket.destroy();
    });
    const take = (socket: Socket): boolean =>
      admit(socket) === undefined ? socket.destroy().destroyed : handshakes.emit("connection", socket);
    return { network: createServer({ noDelay: true }, take), smtp };
  };
  return {
    listen: async (port, isImplicitTls) => {
      const server = open(isImplicitTls);
      servers.push(server);
      return new Promise((resolve, reject) => {
        server.network.once("error", reject);
        server.network.on("error", (error) => options.log.warn({ err: error }, "ingest.smtp-listener-failed"));
        server.network.listen(port, options.bind, () => {
          const address = server.network.address();
          resolve(typeof address === "object" && address !== null ? address.port : port);
        });
      });
    },
    close: async () => {
      await Promise.all(servers.map(closeServer));
    },
  };
}

async function closeServer({ network, smtp }: { network: Server; smtp: SubmissionServer }): Promise<void> {
  const closed = new Promise<void>((resolve) => network.close(() => resolve()));
  smtp.drain();
  await closed;
}
