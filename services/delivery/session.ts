// One SMTP session over Nodemailer's SMTPConnection: its opening up to AUTH, then transaction after transaction.
// Everything ends in a value: what the server said, or what we concluded. The caller says how long it may take.
import type { Socket } from "node:net";
import type { Clock } from "#shared/clock.ts";
import type { SmtpStep } from "#shared/contracts/attempt.ts";
import { parseReply } from "#shared/email/reply.ts";
import type { TlsMode } from "#shared/routing/configuration.ts";
import type { Capabilities } from "./capabilities.ts";
import type { Bounds, ConnectPlan } from "./connect.ts";
import { conclude, endOfConversation, nameOf, refusalOf } from "./conversation-end.ts";
import type { Transaction } from "./fit-message.ts";
import type { AttemptEnd, ConversationEnd, LocalCause } from "#shared/life/outcome.ts";
import { isOutOfStep } from "#shared/life/outcome.ts";
import { bufferOrStream, bytesOf } from "./message-pieces.ts";
import { SmtpClient, veilBrackets } from "./smtp-client.ts";
import { StepTimer } from "./step-timer.ts";
import type { CertificateCheck, CertificateFacts, TlsFacts } from "./tls.ts";
import { certificateFactsOf, checkCertificate, tlsFactsOf, tlsOptionsOf } from "./tls.ts";
import type { Limit } from "./time-limits.ts";
import { Transcript, loggerOf } from "./transcript.ts";
import { withoutPassword } from "./without-password.ts";
import type { Waiting } from "./transcript.ts";

/** A reply to one step is cut off here: no server needs more. */
const LARGEST_REPLY = 64 * 1024;
const NODEMAILER_NEVER_MS = 2 ** 31 - 1;
const CLOSE_MS = 1_000;
/** SMTPConnection sends a command of somebody else's only in an authentication of a method that it does not know. */
const ASKING = "WAYPOST-ASKING";

export interface SessionPlan extends ConnectPlan {
  helloName: string;
  tls: TlsMode;
  auth?: { user: string; password: string } | undefined;
  /** Judges the certificate in place of the public authorities (DANE). */
  certificate?: CertificateCheck | undefined;
}

/** Nothing more is said over the session. */
function isLastOf(end: ConversationEnd): boolean {
  return end.kind !== "reply" || end.reply.code === 421 || isOutOfStep(end.step, end.reply);
}

type Done = (error?: unknown, response?: string) => void;
export type Answer = { kind: "ok"; response: string } | ConversationEnd;

export class SmtpSession {
  readonly plan: SessionPlan;
  readonly #connection: SmtpClient;
  readonly #transcript: Transcript;
  readonly #timer: StepTimer;
  readonly #socket: Socket;
  #settle: ((answer: Answer) => void) | undefined;
  #asked = { command: "", reply: "" };
  #isDirty = false;
  #isClosed = false;
  /** Called once, when the session is over. */
  onClosed: (() => void) | undefined;
  /** Resolves when the connection is gone: its server has hung up, or had its time to. */
  readonly gone: Promise<void>;
  #onAnswered: Bounds["onAnswered"];
  transactions = 0;
  /** When each step was answered first. */
  readonly answeredMs = new Map<SmtpStep, number>();
  /** As it came to be: it was so when the connection is gone, too. */
  #tls: TlsFacts | undefined;
  /** By the steady clock. */
  readonly #openedMs: number;
  readonly #clock: Clock;

  constructor(plan: SessionPlan, socket: Socket, bounds: Bounds) {
    this.plan = plan;
    this.#socket = socket;
    this.gone = new Promise((resolve) => socket.once("close", () => resolve()));
    this.#clock = bounds.clock;
    this.#openedMs = this.#clock.nowMs();
    this.#timer = new StepTimer(socket, bounds.clock, (step, limit) => this.#onLate(step, limit));
    this.#transcript = new Transcript((waiting, answered) => {
      if (answered !== undefined) this.#note(answered);
      this.#timer.follow(waiting);
    });
    this.#connection = new SmtpClient({
      connection: socket,
      host: plan.host,
      port: plan.port,
      name: plan.helloName,
      transactionLog: true,
      connectionTimeout: NODEMAILER_NEVER_MS,
      greetingTimeout: NODEMAILER_NEVER_MS,
      socketTimeout: NODEMAILER_NEVER_MS,
      socketCloseTimeout: CLOSE_MS,
      maxResponseSize: LARGEST_REPLY,
      ...tlsOptionsOf(plan),
      customAuth: {
        [ASKING]: async (context) => {
          this.#asked.reply = (await context.sendCommand(this.#asked.command)).response;
          context.resolve();
        },
      },
    });
    // Handed over as an option it would be wrapped: each line would be copied on its way here.
    this.#connection.logger = loggerOf(this.#transcript);
    this.#connection.on("error", (error: unknown) => this.#settle?.(this.#endOf(error)));
    this.#connection.on("end", () => this.#onEnd());
  }

  get isUsable(): boolean {
    return !this.#isClosed && !this.#connection.destroyed;
  }

  get capabilities(): Capabilities {
    return this.#transcript.capabilities;
  }

  get greeting(): string {
    return this.#transcript.greeting;
  }

  /** The final dot is out and its reply is not in: what becomes of the mail is the server's. */
  get isPastDot(): boolean {
    return this.#transcript.waiting === "dot";
  }

  get tls(): TlsFacts {
    return this.#tls ?? tlsFactsOf(this.plan.tls, this.#connection._socket);
  }

  get ageMs(): number {
    return this.#clock.nowMs() - this.#openedMs;
  }

  get localAddress(): string | undefined {
    return this.#socket.localAddress;
  }

  get certificate(): CertificateFacts | undefined {
    return certificateFactsOf(this.#connection._socket);
  }

  /** Greeting, EHLO, STARTTLS. */
  async hello(bounds: Bounds): Promise<Answer> {
    const answer = this.#unless421(await this.#run(bounds, (done) => this.#connection.connect((error) => done(error))));
    if (answer.kind !== "ok") return answer;
    this.#tls = this.tls;
    const refused = checkCertificate(this.plan.certificate, this.plan.host, this.#connection._socket);
    if (refused === undefined) return answer;
    this.close();
    return conclude("starttls", "tls-certificate", `the certificate of ${nameOf(this.plan)}: ${refused}`);
  }

  /** AUTH with the plan's credentials; never without TLS, unless that is what the relay's configuration says. */
  async authenticate(bounds: Bounds): Promise<Answer> {
    const { auth, tls } = this.plan;
    if (auth === undefined) return { kind: "ok", response: "" };
    if (tls !== "never" && !this.#connection.secure) {
      return conclude("auth", "auth-without-tls", `${nameOf(this.plan)} offers no TLS to authenticate under`);
    }
    if (!this.#connection.allowsAuth) {
      return conclude("auth", "auth-missing", `${nameOf(this.plan)} offers no authentication`);
    }
    const answer = await this.#run(bounds, (done) =>
      this.#connection.login({ user: auth.user, pass: auth.password }, (error) => done(error)),
    );
    if (answer.kind !== "reply") return answer;
    return { ...answer, reply: { ...answer.reply, text: withoutPassword(answer.reply.text, auth) } };
  }

  /** One mail to one recipient, up to the reply to the final dot. */
  async transact({ from, to, message, ...options }: Transaction, bounds: Bounds): Promise<ConversationEnd> {
    this.#transcript.begin();
    if (this.#isDirty) {
      const reset = await this.#reset(bounds);
      if (reset.kind !== "ok") return reset;
      this.#transcript.begin();
    }
    this.transactions += 1;
    this.#isDirty = true;
    const addresses = { from: veilBrackets(from), to: [veilBrackets(to)] };
    const envelope = { ...addresses, size: bytesOf(message), use8BitMime: options.use8BitMime };
    this.#connection.wantsSmtpUtf8 = options.useSmtpUtf8;
    const answer = await this.#run(bounds, (done) =>
      this.#connection.send(envelope, bufferOrStream(message), (error, info) => done(error, info?.response)),
    );
    const end = answer.kind === "ok" ? this.#acceptance(answer.response) : answer;
    if (this.#transcript.wasEarly || isLastOf(end)) this.close();
    return end;
  }

  /** A session that will not be reset is over: its reply says nothing of the next mail, which was not named yet. */
  async #reset(bounds: Bounds): Promise<Answer> {
    // No step of the mail.
    const unheard = { ...bounds, onAnswered: undefined };
    const reset = await this.#run(unheard, (done) => this.#connection.reset((error) => done(error)));
    if (reset.kind === "ok") return reset;
    this.close();
    if (reset.kind !== "reply") return reset;
    return conclude("mail", "dropped", `${nameOf(this.plan)} refused RSET: ${reset.reply.text}`);
  }

  /** One command and its reply: for verification, which goes as far as RCPT and no further. */
  async ask(command: string, bounds: Bounds): Promise<Answer> {
    this.#asked = { command, reply: "" };
    const answer = await this.#run(bounds, (done) => {
      this.#connection.login({ method: ASKING }, (error) => done(error, this.#asked.reply));
    });
    return this.#unless421(answer);
  }

  quit(): void {
    if (!this.isUsable) return;
    this.#connection.quit();
    setTimeout(() => this.close(), CLOSE_MS).unref();
  }

  close(): void {
    this.#timer.close();
    this.#connection.close();
    this.#onEnd();
  }

  #acceptance(response: string): ConversationEnd {
    const reply = parseReply(response);
    const isAcceptance = reply !== undefined && reply.code >= 200 && reply.code < 300;
    if (isAcceptance && !this.#transcript.wasEarly) {
      this.#isDirty = false;
      return { kind: "reply", step: "dot", reply };
    }
    return conclude("dot", "garbage", `${nameOf(this.plan)} answered the mail with what is no SMTP reply`);
  }

  /** Where no further reply is to be had. */
  #breakOff(step: SmtpStep, cause: LocalCause, detail: string): AttemptEnd {
    return refusalOf(this.#transcript, this.plan) ?? conclude(step, cause, detail);
  }

  #note(answered: SmtpStep): void {
    if (!this.answeredMs.has(answered)) this.answeredMs.set(answered, this.#clock.nowMs());
    this.#onAnswered?.(answered);
  }

  async #run({ limits, stopping, onAnswered }: Bounds, start: (done: Done) => void): Promise<Answer> {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#settle = resolve;
    this.#onAnswered = onAnswered;
    const onStop = (): void => this.#onStop();
    stopping.addEventListener("abort", onStop, { once: true });
    this.#timer.start(limits, this.#transcript.waiting === "idle" ? "mail" : this.#transcript.waiting);
    start((error, response) => {
      if (error === undefined || error === null) resolve({ kind: "ok", response: response ?? "" });
      else resolve(this.#endOf(error));
    });
    if (stopping.aborted) this.#onStop();
    const answer = await promise;
    this.#settle = undefined;
    this.#onAnswered = undefined;
    this.#timer.stop();
    stopping.removeEventListener("abort", onStop);
    return answer;
  }

  /** 421 to STARTTLS, or to what was asked, ends the session before it is handed on. */
  #unless421(answer: Answer): Answer {
    const { lastServerResponse: response } = this.#connection;
    if (this.isUsable || response === false || !response.startsWith("421")) return answer;
    return this.#endOf(Object.assign(new Error("closed"), { response }));
  }

  #endOf(error: unknown): AttemptEnd {
    const isUpgrading = this.#connection.upgrading === true;
    return endOfConversation(error, { transcript: this.#transcript, peer: this.plan, isUpgrading });
  }

  #onEnd(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timer.close();
    const { brokeAt } = this.#transcript;
    this.#settle?.(this.#breakOff(brokeAt, "dropped", `${nameOf(this.plan)} closed the connection (${brokeAt})`));
    this.onClosed?.();
  }

  #onLate(step: Waiting, { cause }: Limit): void {
    const at = step === "idle" ? "mail" : step;
    const detail =
      cause === "deadline" ? "the mail's time was over" : `${nameOf(this.plan)} did not answer in time (${at})`;
    this.#settle?.(this.#breakOff(at, cause, detail));
    this.close();
  }

  #onStop(): void {
    const end: Answer = this.isPastDot
      ? this.#breakOff("dot", "dropped", "the service stopped before the reply to the final dot")
      : { kind: "abandoned" };
    this.#settle?.(end);
    this.close();
  }
}
