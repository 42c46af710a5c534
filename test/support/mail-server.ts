// A scripted mail server on an address of its own (npm smtp-server): records what it gets, answers as the script says.
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { SMTPServerAuthentication, SMTPServerOptions, SMTPServerSession } from "smtp-server";
import { SMTPServer } from "smtp-server";
import { loopbackAddress, nameOf } from "./addresses.ts";
import type { IssuedCertificate } from "./certificate.ts";

export interface Reply {
  code: number;
  text: string;
}

export interface ReceivedMail {
  from: string;
  to: readonly string[];
  /** ESMTP parameters of MAIL FROM. */
  parameters: Readonly<Record<string, string | boolean>>;
  raw: Buffer;
  text: string;
  at: number;
  connection: string;
  remoteAddress: string;
  isTls: boolean;
  user: string | undefined;
  queueId: string;
}

type Answer = Reply | undefined | void;

/** What it says at each step; undefined is its ordinary answer. A promise that is pending holds the step. */
export interface MailScript {
  connect?(session: SMTPServerSession): Answer | Promise<Answer>;
  mail?(address: string, session: SMTPServerSession): Answer | Promise<Answer>;
  rcpt?(address: string, session: SMTPServerSession): Answer | Promise<Answer>;
  /** After the final dot. A code of 2xx or undefined is acceptance. */
  dot?(mail: ReceivedMail): Answer | Promise<Answer>;
}

export interface MailServerOptions {
  address?: string;
  port?: number;
  script?: MailScript;
  tls?: IssuedCertificate;
  /** AUTH is offered, and needed, with these. */
  auth?: { user: string; password: string; withoutTls?: boolean };
  options?: SMTPServerOptions;
}

export interface MailServer {
  readonly address: string;
  readonly port: number;
  /** A host name that the scripted DNS resolves to it. */
  readonly host: string;
  readonly mails: readonly ReceivedMail[];
  /** Every address that was mailed to, in order. */
  readonly recipients: readonly string[];
  /** Mails that the server has accepted (2xx after the final dot). */
  readonly accepted: readonly ReceivedMail[];
  readonly connections: number;
  readonly openConnections: number;
  readonly mostConnections: number;
  script: MailScript;
  /** Stops listening and cuts all connections; `listen` brings it back on the same port. */
  close(): Promise<void>;
  listen(): Promise<void>;
}

function failure(reply: Reply): Error {
  return Object.assign(new Error(reply.text), { responseCode: reply.code });
}

type Callback = (error?: Error | null) => void;

async function answer(step: Answer | Promise<Answer>, callback: Callback): Promise<void> {
  const reply = await step;
  if (reply === undefined || reply.code < 400) callback();
  else callback(failure(reply));
}

function authenticationOf(options: MailServerOptions): Partial<SMTPServerOptions> {
  const wanted = options.auth;
  if (wanted === undefined)
    return { authOptional: true, disabledCommands: ["AUTH", ...(options.tls ? [] : ["STARTTLS"])] };
  return {
    authOptional: false,
    allowInsecureAuth: wanted.withoutTls === true,
    disabledCommands: options.tls === undefined ? ["STARTTLS"] : [],
    onAuth: (auth: SMTPServerAuthentication, _session, callback) => {
      if (auth.username === wanted.user && auth.password === wanted.password) callback(null, { user: wanted.user });
      else callback(failure({ code: 535, text: `5.7.8 authentication failed: ${auth.username} ${auth.password}` }));
    },
  };
}

function mailOf(session: SMTPServerSession, raw: Buffer, queueId: string): ReceivedMail {
  const { mailFrom, rcptTo } = session.envelope;
  return {
    from: mailFrom === false ? "" : mailFrom.address,
    to: rcptTo.map((item) => item.address),
    parameters: mailFrom === false ? {} : { ...(mailFrom.args as Record<string, string | boolean>) },
    raw,
    text: raw.toString("utf8"),
    at: Date.now(),
    connection: session.id,
    remoteAddress: session.remoteAddress,
    isTls: session.secure,
    user: session.user,
    queueId,
  };
}

export async function startMailServer(options: MailServerOptions = {}): Promise<MailServer> {
  const address = options.address ?? loopbackAddress();
  const mails: ReceivedMail[] = [];
  const accepted: ReceivedMail[] = [];
  const open = new Set<string>();
  const counts = { connections: 0, most: 0 };
  let port = options.port ?? 0;
  let server: SMTPServer;

  const take = async (stream: Readable, session: SMTPServerSession): Promise<{ reply: Answer; mail: ReceivedMail }> => {
    const mail = mailOf(session, await buffer(stream), `Q${String(mails.length + 1).padStart(6, "0")}`);
    mails.push(mail);
    return { reply: await result.script.dot?.(mail), mail };
  };

  const conclude = async (
    taken: ReturnType<typeof take>,
    callback: (error: Error | null, text?: string) => void,
  ): Promise<void> => {
    const { reply, mail } = await taken;
    if (reply !== undefined && reply.code >= 400) return callback(failure(reply));
    accepted.push(mail);
    return callback(null, reply?.text ?? `2.0.0 Ok: queued as ${mail.queueId}`);
  };

  const create = (): SMTPServer =>
    new SMTPServer({
      name: nameOf(address),
      logger: false,
      disableReverseLookup: true,
      size: 60 * 1024 * 1024,
      closeTimeout: 50,
      ...(options.tls === undefined ? {} : { cert: options.tls.cert, key: options.tls.key }),
      ...authenticationOf(options),
      onConnect: (session, callback) => {
        open.add(session.id);
        counts.connections += 1;
        counts.most = Math.max(counts.most, open.size);
        void answer(result.script.connect?.(session), callback);
      },
      onClose: (session) => void open.delete(session.id),
      onMailFrom: (from, session, callback) => void answer(result.script.mail?.(from.address, session), callback),
      onRcptTo: (to, session, callback) => void answer(result.script.rcpt?.(to.address, session), callback),
      onData: (stream, session, callback) => {
        // A client that is killed amid its data has nobody left to answer.
        conclude(take(stream, session), callback).catch(() => undefined);
      },
      ...options.options,
    });

  const listen = (): Promise<void> =>
    new Promise((resolve, reject) => {
      server = create();
      server.on("error", () => undefined);
      server.server.once("error", reject);
      server.listen(port, address, () => {
        const bound = server.server.address();
        if (bound !== null && typeof bound === "object") port = bound.port;
        resolve();
      });
    });

  const result: MailServer = {
    address,
    get port() {
      return port;
    },
    host: nameOf(address),
    mails,
    accepted,
    get recipients() {
      return mails.flatMap((mail) => mail.to);
    },
    get connections() {
      return counts.connections;
    },
    get openConnections() {
      return open.size;
    },
    get mostConnections() {
      return counts.most;
    },
    script: options.script ?? {},
    listen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          open.clear();
          resolve();
        });
      }),
  };
  await listen();
  return result;
}
