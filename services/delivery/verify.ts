// Verifies a relay: speaks to it step by step, up to RCPT, and says what it answered. Sends no mail.
import type { SmtpStep } from "#shared/contracts/attempt.ts";
import { cleanText, parseReply } from "#shared/email/reply.ts";
import type { Bounds } from "./connect.ts";
import { nameOf } from "./conversation-end.ts";
import { openSession } from "./open-session.ts";
import type { ConversationEnd } from "#shared/life/outcome.ts";
import type { Answer, SmtpSession } from "./session.ts";
import type { RelayPlace, Target, TargetPorts } from "./target.ts";
import { relayTargets } from "./target.ts";

export const VERIFY_STEPS = [
  "resolve",
  "connect",
  "greeting",
  "ehlo",
  "starttls",
  "auth",
  "sender",
  "recipient",
] as const;
type VerifyStep = (typeof VERIFY_STEPS)[number];

export interface StepResult {
  step: VerifyStep;
  ok: boolean;
  detail: string;
  ms: number;
}

export interface Verification {
  relay: RelayPlace;
  sourceIp: string | undefined;
  /** Addresses of MAIL FROM and RCPT TO. */
  sender: string;
  recipient: string;
  helloName: string;
  ports: TargetPorts;
  bounds: Bounds;
}

const CONVERSATION: readonly SmtpStep[] = ["greeting", "ehlo", "starttls", "auth"];

const detailOf = (end: ConversationEnd): string => {
  if (end.kind === "abandoned") return "the service stops";
  return end.kind === "reply" ? end.reply.text : end.detail;
};

function isVerifyStep(step: string): step is VerifyStep {
  return VERIFY_STEPS.some((name) => name === step);
}

/** Collects steps in order, each with the time since the one before. */
class Steps {
  readonly list: StepResult[] = [];
  readonly #nowMs: () => number;
  #lastMs: number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#lastMs = nowMs();
  }

  add({ step, ok, detail }: Omit<StepResult, "ms">, atMs: number = this.#nowMs()): void {
    this.list.push({ step, ok, detail: cleanText(detail), ms: Math.max(0, atMs - this.#lastMs) });
    this.#lastMs = Math.max(this.#lastMs, atMs);
  }
}

function tlsDetail(session: SmtpSession): string {
  const { protocol = "TLS", cipherSuite = "" } = session.tls;
  const { certificate } = session;
  if (certificate === undefined) return `${protocol} ${cipherSuite}`;
  const { subject, issuer, validTo } = certificate;
  return `${protocol} ${cipherSuite}; certificate of ${subject}, issued by ${issuer}, valid to ${validTo}`;
}

function describe(step: SmtpStep, session: SmtpSession): string {
  if (step === "greeting") return session.greeting;
  if (step === "starttls") return tlsDetail(session);
  if (step === "auth") return "authenticated";
  const { size, eightBitMime, smtpUtf8 } = session.capabilities;
  const options = [
    size === undefined ? "" : `SIZE ${size}`,
    eightBitMime ? "8BITMIME" : "",
    smtpUtf8 ? "SMTPUTF8" : "",
  ].filter((option) => option !== "");
  return options.length === 0 ? "answered" : `offers ${options.join(", ")}`;
}

interface Conversation {
  session: SmtpSession;
  /** Why the connection before this one, with TLS, was given up for it. */
  tlsFault: string | undefined;
}

/** The steps that the conversation came through. */
function addConversation(steps: Steps, { session, tlsFault }: Conversation, failedAt: SmtpStep | undefined): void {
  for (const step of CONVERSATION) {
    if (step === failedAt) return;
    const atMs = session.answeredMs.get(step);
    const fault = step === "starttls" ? tlsFault : undefined;
    if ((atMs === undefined && fault === undefined) || !isVerifyStep(step)) continue;
    const isClear = step === "starttls" && !session.tls.established;
    const detail = isClear
      ? `${fault ?? "refused"}; goes on without, as the relay's tls allows`
      : describe(step, session);
    steps.add({ step, ok: true, detail }, atMs);
  }
}

interface Conversed {
  steps: Steps;
  verification: Verification;
  session: SmtpSession;
}

async function askAddress({ steps, session, verification }: Conversed, step: "sender" | "recipient"): Promise<boolean> {
  const { sender, recipient, bounds } = verification;
  const command = step === "sender" ? `MAIL FROM:<${sender}>` : `RCPT TO:<${recipient}>`;
  const answer: Answer = await session.ask(command, bounds);
  if (answer.kind !== "ok") {
    steps.add({ step, ok: false, detail: detailOf(answer) });
    return false;
  }
  const reply = parseReply(answer.response);
  const isOk = reply !== undefined && reply.code < 300;
  steps.add({ step, ok: isOk, detail: reply?.text ?? "what was answered is no SMTP reply" });
  return isOk;
}

async function converse(target: Target, steps: Steps, verification: Verification): Promise<boolean> {
  const { helloName, bounds } = verification;
  let last: SmtpSession | undefined;
  let tlsFault: string | undefined;
  const opened = await openSession(target, {
    helloName,
    bounds,
    onStep: (step, session) => {
      if (step === "connect" && last === undefined) steps.add({ step: "connect", ok: true, detail: nameOf(target) });
      last = session;
    },
    onWithoutTls: (why) => {
      tlsFault = why;
    },
  });
  if (!opened.ok) {
    const { end } = opened;
    const failedAt = end.kind === "abandoned" ? "connect" : end.step;
    if (last !== undefined) addConversation(steps, { session: last, tlsFault }, failedAt);
    steps.add({ step: isVerifyStep(failedAt) ? failedAt : "ehlo", ok: false, detail: detailOf(end) });
    return last !== undefined;
  }
  const { session } = opened;
  addConversation(steps, { session, tlsFault }, undefined);
  const conversed = { steps, verification, session };
  if (await askAddress(conversed, "sender")) await askAddress(conversed, "recipient");
  session.quit();
  return true;
}

/** Every step that applies, up to the first that fails. */
export async function verifyRelay(verification: Verification): Promise<StepResult[]> {
  const { relay, sourceIp, ports, bounds } = verification;
  const steps = new Steps(() => bounds.clock.nowMs());
  const found = await relayTargets(relay, sourceIp, ports);
  if (!found.ok) {
    const isSource = found.end.kind === "local" && found.end.cause === "source-address-missing";
    steps.add({ step: isSource ? "connect" : "resolve", ok: false, detail: detailOf(found.end) });
    return steps.list;
  }
  steps.add({ step: "resolve", ok: true, detail: found.targets.map(({ address }) => address).join(", ") });
  for (const target of found.targets) {
    const kept = steps.list.length;
    const hasConnected = await converse(target, steps, verification);
    const isLast = target === found.targets.at(-1);
    if (hasConnected || isLast) break;
    steps.list.length = kept;
  }
  return steps.list;
}
