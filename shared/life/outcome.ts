// One table from what an attempt met to how it ends (design, Outcome): replies by step, and causes that we concluded ourselves.
// A permanent error bounces only in reply to MAIL, RCPT, DATA or the final dot; what is a fault of connection or set-up defers.
import type { AttemptResult, SmtpStep } from "#shared/contracts/attempt.ts";
import type { EnhancedStatusCode, StatusClass } from "#shared/email/enhanced-status-code.ts";
import { formatEnhancedStatusCode, withClass } from "#shared/email/enhanced-status-code.ts";
import type { Reply } from "#shared/email/reply.ts";
import { cleanText, remoteQueueIdOf } from "#shared/email/reply.ts";

type Status = AttemptResult["status"];
type Blame = AttemptResult["blame"];

/** What we conclude without a reply: the status, whose fault it is, our own enhanced status (RFC 3463). */
export const LOCAL_CAUSES = {
  "relay-unknown": { status: "deferred", blame: "setup", enhanced: "4.4.4" },
  "dns-unavailable": { status: "deferred", blame: "connection", enhanced: "4.4.3" },
  "network-refused": { status: "deferred", blame: "setup", enhanced: "4.4.4" },
  "domain-unknown": { status: "bounced", blame: "mail", enhanced: "5.1.2" },
  "domain-without-server": { status: "bounced", blame: "mail", enhanced: "5.4.4" },
  "null-mx": { status: "bounced", blame: "mail", enhanced: "5.1.10" },
  loop: { status: "bounced", blame: "mail", enhanced: "5.4.6" },
  "relay-loop": { status: "deferred", blame: "setup", enhanced: "4.4.6" },
  "source-address-missing": { status: "deferred", blame: "setup", enhanced: "4.3.5" },
  "connect-refused": { status: "deferred", blame: "connection", enhanced: "4.4.1" },
  "connect-timeout": { status: "deferred", blame: "connection", enhanced: "4.4.1" },
  "connect-failed": { status: "deferred", blame: "connection", enhanced: "4.4.1" },
  timeout: { status: "deferred", blame: "connection", enhanced: "4.4.2" },
  dropped: { status: "deferred", blame: "connection", enhanced: "4.4.2" },
  garbage: { status: "deferred", blame: "connection", enhanced: "4.5.0" },
  "reply-too-large": { status: "deferred", blame: "connection", enhanced: "4.5.0" },
  "tls-missing": { status: "deferred", blame: "setup", enhanced: "4.7.4" },
  "tls-failed": { status: "deferred", blame: "setup", enhanced: "4.7.5" },
  "tls-certificate": { status: "deferred", blame: "setup", enhanced: "4.7.5" },
  "policy-failed": { status: "deferred", blame: "setup", enhanced: "4.7.5" },
  "auth-missing": { status: "deferred", blame: "setup", enhanced: "4.7.4" },
  "auth-without-tls": { status: "deferred", blame: "setup", enhanced: "4.7.11" },
  "secret-unreadable": { status: "deferred", blame: "setup", enhanced: "4.3.5" },
  // The recipient's servers are not to be suspended for it.
  "dkim-key-unreadable": { status: "deferred", blame: "mail", enhanced: "4.3.5" },
  "too-large": { status: "bounced", blame: "mail", enhanced: "5.3.4" },
  "needs-8bit": { status: "bounced", blame: "mail", enhanced: "5.6.3" },
  "needs-smtputf8": { status: "bounced", blame: "mail", enhanced: "5.6.7" },
  "relay-removed": { status: "bounced", blame: "mail", enhanced: "5.4.4" },
  deadline: { status: "deferred", blame: "mail", enhanced: "4.4.7" },
} as const satisfies Record<string, { status: Status; blame: Blame; enhanced: string }>;
export type LocalCause = keyof typeof LOCAL_CAUSES;

export type AttemptEnd =
  | { kind: "reply"; step: SmtpStep; reply: Reply }
  | { kind: "local"; step: SmtpStep; cause: LocalCause; detail: string };

/** `abandoned`: given up unsent because this service stops; no outcome of the mail. */
export type ConversationEnd = AttemptEnd | { kind: "abandoned" };

export type Outcome = Pick<
  AttemptResult,
  | "status"
  | "origin"
  | "blame"
  | "step"
  | "cause"
  | "replyCode"
  | "enhancedStatus"
  | "text"
  | "remoteQueueId"
  | "uncertain"
>;

/** What is refused at these steps is the mail, at others the session. */
export const TRANSACTION_STEPS: readonly SmtpStep[] = ["mail", "rcpt", "data", "dot"];

interface ReplyRule {
  steps: "any" | readonly SmtpStep[];
  /** A reply code, or its first digit. */
  code: number | "any";
  status: Status;
  blame: Blame;
}

/** The first rule that fits counts. */
export const REPLY_RULES: readonly ReplyRule[] = [
  { steps: "any", code: 421, status: "deferred", blame: "connection" },
  { steps: "any", code: 530, status: "deferred", blame: "setup" },
  { steps: ["dot"], code: 2, status: "accepted", blame: "mail" },
  { steps: TRANSACTION_STEPS, code: 4, status: "deferred", blame: "mail" },
  { steps: TRANSACTION_STEPS, code: 5, status: "bounced", blame: "mail" },
  { steps: "any", code: 4, status: "deferred", blame: "connection" },
  { steps: "any", code: 5, status: "deferred", blame: "setup" },
  { steps: "any", code: "any", status: "deferred", blame: "connection" },
];

const CLASS_OF: Readonly<Record<Status, StatusClass>> = { accepted: 2, deferred: 4, bounced: 5 };

/** Subject and detail of ours for a reply without an enhanced status; by step where the code means another thing there. */
const MEANINGS: Readonly<Record<number, { any: string } & Partial<Record<SmtpStep, string>>>> = {
  421: { any: "3.2" },
  432: { any: "7.12" },
  450: { any: "0.0", rcpt: "2.0" },
  451: { any: "3.0" },
  452: { any: "3.1" },
  454: { any: "7.0" },
  500: { any: "5.2", starttls: "7.4" },
  501: { any: "5.4", starttls: "7.4" },
  502: { any: "5.1", starttls: "7.4" },
  503: { any: "5.1", starttls: "7.4" },
  504: { any: "5.4", starttls: "7.4" },
  530: { any: "7.0" },
  534: { any: "7.9" },
  535: { any: "7.8" },
  538: { any: "7.11" },
  550: { any: "0.0", rcpt: "2.0" },
  551: { any: "1.0" },
  552: { any: "3.4", rcpt: "2.2" },
  553: { any: "1.0" },
  555: { any: "5.4" },
};

function fits(rule: ReplyRule, step: SmtpStep, code: number): boolean {
  if (rule.steps !== "any" && !rule.steps.includes(step)) return false;
  return rule.code === "any" || rule.code === code || rule.code === Math.floor(code / 100);
}

function enhancedOf(status: Status, step: SmtpStep, reply: Reply): string {
  const class_ = CLASS_OF[status];
  const given: EnhancedStatusCode | undefined = reply.enhanced;
  if (given !== undefined) return formatEnhancedStatusCode(withClass(given, class_));
  const meaning = status === "accepted" ? undefined : MEANINGS[reply.code];
  return `${class_}.${meaning?.[step] ?? meaning?.any ?? "0.0"}`;
}

/** Neither takes nor refuses the mail: server and client are no longer at the same step. */
export function isOutOfStep(step: SmtpStep, { code }: Pick<Reply, "code">): boolean {
  const verdicts = step === "dot" ? [2, 4, 5] : [4, 5];
  return !verdicts.includes(Math.floor(code / 100));
}

function outcomeOfReply(step: SmtpStep, reply: Reply): Outcome {
  const rule = REPLY_RULES.find((candidate) => fits(candidate, step, reply.code));
  const { status, blame } = rule ?? { status: "deferred" as const, blame: "connection" as const };
  const queueId = status === "accepted" ? remoteQueueIdOf(reply.text) : undefined;
  const isUncertain = step === "dot" && isOutOfStep(step, reply);
  return {
    status,
    origin: "remote",
    blame,
    step,
    replyCode: reply.code,
    enhancedStatus: enhancedOf(status, step, reply),
    text: reply.text,
    ...(queueId === undefined ? {} : { remoteQueueId: queueId }),
    ...(isUncertain ? { uncertain: true } : {}),
  };
}

/** A reply to the final dot that was lost: the server may have taken the mail. */
const LOSES_THE_REPLY: readonly LocalCause[] = ["timeout", "dropped", "garbage", "reply-too-large", "deadline"];

function outcomeOfCause(step: SmtpStep, cause: LocalCause, detail: string): Outcome {
  const { status, blame, enhanced } = LOCAL_CAUSES[cause];
  const isUncertain = step === "dot" && LOSES_THE_REPLY.includes(cause);
  return {
    status,
    origin: "local",
    blame,
    step,
    cause,
    enhancedStatus: enhanced,
    text: cleanText(detail),
    ...(isUncertain ? { uncertain: true } : {}),
  };
}

export function outcomeOf(end: AttemptEnd): Outcome {
  return end.kind === "reply" ? outcomeOfReply(end.step, end.reply) : outcomeOfCause(end.step, end.cause, end.detail);
}

/** Whether another host of the same target may do better: nothing was said of the mail yet. */
export function mayTryNextHost(outcome: Outcome): boolean {
  const isBeforeMail = outcome.step === undefined || !TRANSACTION_STEPS.includes(outcome.step);
  return outcome.status === "deferred" && outcome.blame !== "mail" && isBeforeMail;
}
