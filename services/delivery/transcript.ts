// Follows a conversation through Nodemailer's transaction log: which step is waited for, and what was answered to each.
// The log is the only public place where SMTPConnection says what it is doing.
import type { SmtpStep } from "#shared/contracts/attempt.ts";
import type { Capabilities } from "./capabilities.ts";
import { TRANSACTION_STEPS } from "#shared/life/outcome.ts";
import { NO_CAPABILITIES, readCapabilities } from "./capabilities.ts";

/** `idle`: nothing is waited for. */
export type Waiting = SmtpStep | "idle";

const STEPS: readonly (readonly [prefix: string, step: SmtpStep])[] = [
  ["MAIL FROM:", "mail"],
  ["RCPT TO:", "rcpt"],
  ["DATA", "data"],
  ["EHLO ", "ehlo"],
  ["HELO ", "ehlo"],
  ["STARTTLS", "starttls"],
  ["RSET", "mail"],
  ["QUIT", "mail"],
  [".", "dot"],
];

/** What is no command of ours that we know is a line of an AUTH exchange. */
const stepOf = (command: string): SmtpStep => STEPS.find(([prefix]) => command.startsWith(prefix))?.[1] ?? "auth";

/** The step that is waited for now, and the one that was answered, where one was. */
type OnStep = (waiting: Waiting, answered?: SmtpStep) => void;

export class Transcript {
  readonly #onStep: OnStep;
  #outstanding: SmtpStep[] = ["greeting"];
  #lastAnswered: SmtpStep = "greeting";
  /** What goes on with no reply outstanding: the data is being sent, or a TLS handshake is under way. */
  #doing: "data" | "starttls" | undefined;
  #command = "";
  capabilities: Capabilities = NO_CAPABILITIES;
  greeting = "";
  /** Refusals of the running transaction, by step: with PIPELINING a later reply may never come. */
  refusals = new Map<SmtpStep, string>();
  /** The server said something that nobody had asked for. */
  wasUnasked = false;
  /** It answered the data before all of it was sent. */
  wasEarly = false;

  constructor(onStep: OnStep) {
    this.#onStep = onStep;
  }

  /** The step whose end is waited for. */
  get waiting(): Waiting {
    return this.#outstanding[0] ?? this.#doing ?? "idle";
  }

  /** Where a conversation that broke was: a step that was begun and not completed. */
  get brokeAt(): SmtpStep {
    const { waiting } = this;
    return waiting === "idle" ? this.#lastAnswered : waiting;
  }

  get lastAnswered(): SmtpStep {
    return this.#lastAnswered;
  }

  /** A transaction begins: what breaks from here on broke at its MAIL. */
  begin(): void {
    this.refusals.clear();
    this.#doing = undefined;
    this.#lastAnswered = "mail";
    this.wasEarly = false;
  }

  onClient(command: string): void {
    this.#command = command;
    if (this.#doing === "starttls") this.#doing = undefined;
    this.#outstanding.push(stepOf(command));
    if (this.#outstanding.length === 1) this.#onStep(this.waiting);
  }

  onServer(reply: string): void {
    const step = this.#outstanding.shift();
    if (step === undefined) {
      if (this.#doing === "data") this.#onEarly();
      else this.wasUnasked = true;
      return;
    }
    this.#lastAnswered = step;
    if (step === "greeting") this.greeting = reply;
    if (step === "ehlo" && reply.startsWith("250") && this.#command.startsWith("EHLO")) {
      this.capabilities = readCapabilities(reply);
    }
    if (step === "data" && reply.startsWith("3")) this.#doing = "data";
    if (step === "starttls" && reply.startsWith("2")) this.#onUpgrade();
    const isRefusal = !reply.startsWith(step === "data" ? "3" : "2") && TRANSACTION_STEPS.includes(step);
    if (isRefusal && !this.refusals.has(step)) this.refusals.set(step, reply);
    this.#onStep(this.waiting, step);
  }

  /** What was said in clear does not count under TLS (RFC 3207 §4.2), also where EHLO is refused there. */
  #onUpgrade(): void {
    this.#doing = "starttls";
    this.capabilities = NO_CAPABILITIES;
  }

  /** A server that has read enough answers before the final dot; what is still being sent ends the connection. */
  #onEarly(): void {
    this.wasEarly = true;
    this.#lastAnswered = "dot";
  }

  /** The last byte of the data and the final dot are written. */
  onDataSent(): void {
    this.#doing = undefined;
    this.#outstanding.push("dot");
    this.#onStep("dot");
  }
}

interface LogEntry {
  tnx?: string | undefined;
}

/** The shape that SMTPConnection wants of a logger. */
export function loggerOf(transcript: Transcript) {
  const take = (entry?: LogEntry | string, text?: string): void => {
    if (typeof entry !== "object") return;
    if (entry.tnx === "client") transcript.onClient(text ?? "");
    else if (entry.tnx === "server") transcript.onServer(text ?? "");
    else if (entry.tnx === "message") transcript.onDataSent();
  };
  const ignore = (): void => undefined;
  return { level: ignore, trace: ignore, debug: take, info: take, warn: ignore, error: ignore, fatal: ignore };
}
