// One delivery attempt: a session of the pool or a new one, host after host, and one transaction. Ends in a result.
import type { AttemptResult } from "#shared/contracts/attempt.ts";
import type { Bounds } from "./connect.ts";
import type { WireMail } from "./fit-message.ts";
import { fitMessage } from "./fit-message.ts";
import { openSession } from "./open-session.ts";
import type { AttemptEnd, ConversationEnd } from "#shared/life/outcome.ts";
import { mayTryNextHost, outcomeOf } from "#shared/life/outcome.ts";
import type { SessionPool } from "./pool.ts";
import type { SmtpSession } from "./session.ts";
import type { Target, Targets } from "./target.ts";
import type { TlsFacts } from "./tls.ts";

export interface AttemptPlan {
  mail: WireMail;
  helloName: string;
  /** Whether TLS is asked for: a session that had to go on without still says so. */
  requestsTls: boolean;
  pool: SessionPool;
  /** Sessions under the same key may be used for it. */
  key: string;
  findTargets(): Promise<Targets>;
  bounds: Bounds;
  /** Told which session has the mail in hand. */
  onSession(session: SmtpSession | undefined): void;
}

/** `abandoned`: given up unsent because the service stops. */
export type Attempted = { kind: "result"; result: AttemptResult } | { kind: "abandoned" };

interface Place {
  target?: Target | SmtpSession["plan"] | undefined;
  localAddress?: string | undefined;
  tls?: TlsFacts | undefined;
}

function resultOf(end: AttemptEnd, { target, localAddress, tls }: Place, requestsTls: boolean): Attempted {
  const place = {
    ...(target === undefined ? {} : { host: target.host, address: target.address, port: target.port }),
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(tls === undefined ? {} : { tls: { ...tls, requested: requestsTls } }),
  };
  return { kind: "result", result: { ...outcomeOf(end), ...place } };
}

/** A session that waited was over: nothing was said of this mail. */
function isStale(end: ConversationEnd): boolean {
  if (end.kind === "abandoned" || end.step !== "mail") return false;
  return end.kind === "local" ? end.cause === "dropped" : end.reply.code === 421;
}

async function transactOn(session: SmtpSession, plan: AttemptPlan): Promise<ConversationEnd> {
  const fitted = await fitMessage(plan.mail, session.capabilities);
  if (!fitted.ok) return { kind: "local", step: "mail", cause: fitted.cause, detail: fitted.detail };
  plan.onSession(session);
  const end = await session.transact(fitted.transaction, plan.bounds);
  plan.onSession(undefined);
  return end;
}

async function sendOn(session: SmtpSession, plan: AttemptPlan): Promise<{ end: ConversationEnd; place: Place }> {
  const place = { target: session.plan, localAddress: session.localAddress, tls: session.tls };
  try {
    return { end: await transactOn(session, plan), place };
  } finally {
    plan.pool.give(plan.key, session);
  }
}

async function sendAnew(plan: AttemptPlan): Promise<Attempted> {
  const found = await plan.findTargets();
  if (!found.ok) return resultOf(found.end, {}, plan.requestsTls);
  plan.bounds.onAnswered?.("resolve");
  let last: Attempted | undefined;
  for (const target of found.targets) {
    await plan.pool.untilRoom(plan.key);
    const opened = await openSession(target, plan);
    if (opened.ok) {
      const { end, place } = await sendOn(opened.session, plan);
      return end.kind === "abandoned" ? end : resultOf(end, place, plan.requestsTls);
    }
    if (opened.end.kind === "abandoned") return opened.end;
    await opened.gone;
    last = resultOf(opened.end, { target, localAddress: target.localAddress, tls: opened.tls }, plan.requestsTls);
    if (!mayTryNextHost(outcomeOf(opened.end))) return last;
    if (plan.bounds.clock.nowMs() >= plan.bounds.limits.totalMs) return last;
  }
  return last ?? { kind: "abandoned" };
}

export async function makeAttempt(plan: AttemptPlan): Promise<Attempted> {
  for (let pooled = plan.pool.take(plan.key); pooled !== undefined; pooled = plan.pool.take(plan.key)) {
    const { end, place } = await sendOn(pooled, plan);
    if (end.kind === "abandoned") return end;
    if (!isStale(end)) return resultOf(end, place, plan.requestsTls);
  }
  return sendAnew(plan);
}
