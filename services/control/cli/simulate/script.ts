// The script of a relay's behaviour: `421 for 3 h, then 550`. One behaviour after the other, the last for ever.
//   behaviour  a reply (`451 4.7.1 greylisted`), or what is met without one (`connect-refused`, `timeout`, …)
//   at <step>  where: rcpt by default for a refusal, greeting for 421, dot for an acceptance
//   for <duration>, <n> times   how long
import { parseDuration } from "#shared/duration.ts";
import type { SmtpStep } from "#shared/contracts/attempt.ts";
import { SMTP_STEPS } from "#shared/contracts/attempt.ts";
import { parseReply } from "#shared/email/reply.ts";
import type { AttemptEnd, LocalCause } from "#shared/life/outcome.ts";
import { LOCAL_CAUSES } from "#shared/life/outcome.ts";

export interface Phase {
  end: AttemptEnd;
  /** Neither: for ever. */
  forMs?: number;
  times?: number;
}

export type Script = readonly [Phase, ...Phase[]];

export type ReadScript = { ok: true; script: Script } | { ok: false; problem: string };

/** Words that people say for what is met. */
const ALSO: Readonly<Record<string, LocalCause>> = {
  down: "connect-refused",
  refused: "connect-refused",
  unreachable: "connect-timeout",
  "no dns": "dns-unavailable",
};
const STEP_OF: Partial<Record<LocalCause, SmtpStep>> = { timeout: "dot", dropped: "dot", garbage: "dot" };
const PHASE =
  /^(?:then\s+)?(?<what>.+?)(?:\s+at\s+(?<step>[a-z]+))?(?:\s+for\s+(?<time>\d+\s*(?:ms|s|m|h|d))|\s+(?<times>\d+)\s+times?)?$/i;

const isStep = (text: string): text is SmtpStep => SMTP_STEPS.some((step) => step === text);
const isCause = (text: string): text is LocalCause => Object.hasOwn(LOCAL_CAUSES, text);

function stepOfReply(code: number): SmtpStep {
  if (code === 421) return "greeting";
  return code < 400 ? "dot" : "rcpt";
}

function endOf(what: string, step: string | undefined): AttemptEnd | string {
  if (step !== undefined && !isStep(step)) return `${step} is no step: ${SMTP_STEPS.join(", ")}`;
  const reply = parseReply(what);
  if (reply !== undefined) {
    const isFinal = (reply.code >= 200 && reply.code < 300) || (reply.code >= 400 && reply.code < 600);
    if (!isFinal) return `${reply.code} ends no attempt: 2xx, 4xx or 5xx`;
    return { kind: "reply", step: step ?? stepOfReply(reply.code), reply };
  }
  const word = what.toLowerCase();
  const cause = ALSO[word] ?? word;
  if (!isCause(cause)) {
    return `"${what}" is neither a reply such as 451 nor one of ${Object.keys(LOCAL_CAUSES).join(", ")}`;
  }
  return { kind: "local", step: step ?? STEP_OF[cause] ?? "connect", cause, detail: cause.replaceAll("-", " ") };
}

function readPhase(text: string): Phase | string {
  const { what = "", step, time, times } = PHASE.exec(text)?.groups ?? {};
  const end = endOf(what.trim(), step?.toLowerCase());
  if (typeof end === "string") return end;
  if (times !== undefined) return { end, times: Number(times) };
  if (time === undefined) return { end };
  const forMs = parseDuration(time.replace(/\s+/g, "").toLowerCase());
  return forMs === undefined ? `${time} is no duration: 30s, 5m, 3h, 2d` : { end, forMs };
}

export function readScript(text: string): ReadScript {
  const phases: Phase[] = [];
  for (const part of text.split(/,|;|\bthen\b/i).map((item) => item.trim())) {
    if (part === "") continue;
    const phase = readPhase(part);
    if (typeof phase === "string") return { ok: false, problem: phase };
    phases.push(phase);
  }
  const [first, ...others] = phases;
  if (first === undefined)
    return { ok: false, problem: "a script says what the relay does, e.g. 421 for 3h, then 550" };
  return { ok: true, script: [first, ...others] };
}

/** What the attempt meets that begins `afterMs` from acceptance; `made` are the attempts before it, by phase. */
export function phaseAt(script: Script, afterMs: number, made: ReadonlyMap<Phase, number>): Phase {
  let endMs = 0;
  for (const phase of script) {
    if (phase.times !== undefined) {
      if ((made.get(phase) ?? 0) < phase.times) return phase;
      continue;
    }
    if (phase.forMs === undefined) return phase;
    endMs += phase.forMs;
    if (afterMs < endMs) return phase;
  }
  return script.at(-1) ?? script[0];
}
