// Makes the attempt that a mail asks for: composes, sends within its times, tells the breaker, records the outcome.
import { context, trace } from "@opentelemetry/api";
import type { Clock } from "#shared/clock.ts";
import type { Attempt, AttemptResult, SmtpStep } from "#shared/contracts/attempt.ts";
import type { MailMessage } from "#shared/contracts/mail.ts";
import type { Log } from "#shared/log.ts";
import { domainOf } from "#shared/email/domain-name.ts";
import type { Sealer } from "#shared/secrets.ts";
import type { SmtpTimeouts } from "#shared/settings-schedules.ts";
import type { ClaimAnswer, Ledger, LedgerKey } from "#shared/store/ledger.ts";
import { makeAttempt } from "./attempt.ts";
import type { Attempted } from "./attempt.ts";
import { endAttemptSpan, logAttempt, startAttemptSpan, stepEvents } from "./attempt-trace.ts";
import { watchClaim } from "./claim-watch.ts";
import type { AttemptHere } from "./deliver-mail.ts";
import type { Destination } from "./destination.ts";
import type { DeliveryMetrics } from "./metrics.ts";
import { deadlineOf, Outcomes } from "./outcomes.ts";
import type { MxPorts } from "./resolve-mx.ts";
import { mxTargets } from "./resolve-mx.ts";
import type { SmtpSession } from "./session.ts";
import { relayKey, relayTargets } from "./target.ts";
import { wireMailOf } from "./wire-mail.ts";

export interface MakerPorts {
  clock: Clock;
  /** For the times of an attempt: a machine whose clock is set ends none of them. */
  steady: Clock;
  log: Log;
  ledger: Ledger;
  metrics: DeliveryMetrics;
  sealer: Sealer;
  mx: MxPorts;
  helloName: string;
  timeouts: SmtpTimeouts;
  /** The name of this process. */
  replica: string;
}

export interface AttemptRequest extends AttemptHere {
  body: Buffer;
  owner: string;
  /** An earlier copy's attempt may have been made without a record. */
  isCopy: boolean;
}

export type AttemptMade = { kind: "made"; attempt: Attempt } | { kind: "abandoned" } | { kind: "claim-lost" };

export interface AttemptMaker {
  /** A name for the claim of one attempt. */
  nextOwner(): string;
  claim(mail: MailMessage, owner: string): Promise<ClaimAnswer>;
  make(request: AttemptRequest): Promise<AttemptMade>;
  /** An outcome that this process knows and could not write yet: the attempt is not made again for that. */
  unrecorded(key: LedgerKey): Attempt | undefined;
  /** Resolves once it is on disk, however long the database is away, to the outcome that stands of this attempt. */
  record(mail: MailMessage, attempt: Attempt): Promise<Attempt>;
  /** Ends what is under way: unsent before the final dot, uncertain behind it. Nothing is begun after it. What cannot be recorded by now is given back. */
  abandonAll(): void;
  readonly running: number;
}

interface Running {
  controller: AbortController;
  session: SmtpSession | undefined;
  onAnswered: ((step: SmtpStep) => void) | undefined;
}

class Maker implements AttemptMaker {
  readonly #ports: MakerPorts;
  readonly #running = new Set<Running>();
  #owners = 0;
  #isOver = false;
  readonly #outcomes: Outcomes;

  constructor(ports: MakerPorts) {
    this.#ports = ports;
    this.#outcomes = new Outcomes(ports);
  }

  get running(): number {
    return this.#running.size;
  }

  nextOwner(): string {
    this.#owners += 1;
    return `${this.#ports.replica}.${this.#owners}`;
  }

  claim(mail: MailMessage, owner: string): Promise<ClaimAnswer> {
    const { ledger, clock } = this.#ports;
    return ledger.claim({ mailId: mail.mailId, attempt: mail.attempt }, owner, deadlineOf(mail, clock));
  }

  unrecorded(key: LedgerKey): Attempt | undefined {
    return this.#outcomes.unrecorded(key);
  }

  record(mail: MailMessage, attempt: Attempt): Promise<Attempt> {
    return this.#outcomes.record(mail, attempt);
  }

  abandonAll(): void {
    this.#isOver = true;
    for (const { controller } of this.#running) controller.abort();
    this.#outcomes.giveUp();
  }

  async make(request: AttemptRequest): Promise<AttemptMade> {
    if (this.#isOver) return { kind: "abandoned" };
    const mail = request.delivery.message;
    const span = startAttemptSpan(mail, request.found.kind);
    const running: Running = { controller: new AbortController(), session: undefined, onAnswered: stepEvents(span) };
    const claim = watchClaim(this.#ports, {
      key: { mailId: mail.mailId, attempt: mail.attempt },
      deadline: deadlineOf(mail, this.#ports.clock),
      owner: request.owner,
      isClaimed: request.claimsFirst,
      onLost: () => {
        if (running.session?.isPastDot !== true) running.controller.abort();
      },
    });
    this.#running.add(running);
    let made: Attempt | undefined;
    try {
      made = await context.with(trace.setSpan(context.active(), span), () => this.#attempt(request, running));
    } finally {
      endAttemptSpan(span, made);
      claim.stop();
      this.#running.delete(running);
    }
    if (made === undefined) return { kind: claim.isLost ? "claim-lost" : "abandoned" };
    return { kind: "made", attempt: await this.#recordIn(request.destination, mail, made) };
  }

  async #recordIn(destination: Destination, mail: MailMessage, made: Attempt): Promise<Attempt> {
    const written = destination.beginRecord();
    try {
      const recorded = this.record(mail, made);
      if (destination.isHeldUp) this.#ports.ledger.hurry();
      return await recorded;
    } finally {
      written();
    }
  }

  async #attempt(request: AttemptRequest, running: Running): Promise<Attempt | undefined> {
    const { clock, steady, log, metrics } = this.#ports;
    const mail = request.delivery.message;
    const at = clock.now();
    const startedMs = steady.nowMs();
    const attempted = await this.#send(request, running);
    if (attempted.kind === "abandoned") return undefined;
    const { found } = request;
    const attempt: Attempt = {
      attempt: mail.attempt,
      at: at.toISOString(),
      durationMs: Math.round(steady.nowMs() - startedMs),
      lane: mail.lane,
      ...(found.kind === "relay" ? { relay: found.relay.host } : {}),
      result: markCopy(attempted.result, request.isCopy),
    };
    request.place.report(attempt.result);
    metrics.countAttempt(attempt);
    logAttempt(log, mail, attempt);
    return attempt;
  }

  async #send(request: AttemptRequest, running: Running): Promise<Attempted> {
    const { clock, steady, sealer, mx, timeouts, helloName } = this.#ports;
    const { found, configuration, destination, delivery } = request;
    const { head } = delivery.message;
    const isRelayed = found.kind === "relay";
    const domain = configuration.domain(head.account, domainOf(head.sender) ?? "");
    const mail = wireMailOf(delivery.message, request.body, { sealer, domain, isRelayed });
    const nowMs = steady.nowMs();
    const deadlineMs = nowMs + Date.parse(head.deadline) - clock.nowMs();
    return makeAttempt({
      mail,
      helloName,
      requestsTls: isRelayed ? found.relay.tls !== "never" : true,
      pool: destination.pool,
      key: isRelayed ? relayKey(found) : `mx ${found.domain} ${found.sourceIp ?? ""}`,
      findTargets: () =>
        isRelayed
          ? relayTargets(found.relay, found.sourceIp, mx)
          : mxTargets({ domain: found.domain, sourceIp: found.sourceIp }, mx),
      bounds: {
        clock: steady,
        stopping: running.controller.signal,
        onAnswered: running.onAnswered,
        limits: { timeouts, totalMs: nowMs + timeouts.total, deadlineMs },
      },
      onSession: (session) => {
        running.session = session;
      },
    });
  }
}

/** Whether an earlier copy went out is not known: the record says so, whatever this attempt came to. */
function markCopy(result: AttemptResult, isCopy: boolean): AttemptResult {
  return isCopy ? { ...result, uncertain: true } : result;
}

export function createAttemptMaker(ports: MakerPorts): AttemptMaker {
  return new Maker(ports);
}
