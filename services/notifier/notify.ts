// One batch: where it goes, whether it may go now, the POST, and what follows.
import type { Delivery, Verdict } from "#shared/broker/actor.ts";
import { notifyTier } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import type { BatchMessage } from "#shared/contracts/batch.ts";
import { WaypostError } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import type { Confirmable } from "#shared/routing/find-confirmed.ts";
import { findConfirmed } from "#shared/routing/find-confirmed.ts";
import type { Sealer } from "#shared/secrets.ts";
import { displayUrl } from "#shared/store/endpoints.ts";
import { traceIdOf } from "#shared/telemetry/propagate.ts";
import type { PostOutcome } from "./answer.ts";
import type { Board } from "./board.ts";
import type { Admission } from "./board-entry.ts";
import { batchMessage } from "./collector.ts";
import type { DeadKeeper } from "./dead.ts";
import type { BatchEffect, BatchSituation } from "./decide.ts";
import { decideOutcome, decideParked } from "./decide.ts";
import type { EndpointChoice, EndpointDetails } from "./endpoint.ts";
import { endpointOf } from "./endpoint.ts";
import type { Figures } from "./figures.ts";
import type { Ladder } from "./ladder.ts";
import type { Notes } from "./notes.ts";
import type { Poster } from "./post.ts";

export interface NotifyOptions {
  board: Board;
  clock: Clock;
  configuration: Confirmable;
  dead: DeadKeeper;
  figures: Figures;
  ladder: Ladder;
  log: Log;
  notes: Notes;
  poster: Poster;
  sealer: Sealer;
}

async function chooseEndpoint(
  { configuration, sealer }: NotifyOptions,
  batch: BatchMessage,
): Promise<EndpointChoice | { kind: "sealed" }> {
  const name = batch.push.meta.account;
  const account = await findConfirmed(configuration, (current) => current.account(name));
  try {
    return endpointOf(batch, account, sealer);
  } catch (error) {
    // A key that is missing may be given back: the batch climbs the ladder meanwhile.
    if (error instanceof WaypostError && error.code === "SECRET_UNREADABLE") return { kind: "sealed" };
    throw error;
  }
}

const UNREADABLE: PostOutcome = { kind: "failed", status: 0, reason: "the endpoint's secrets cannot be opened" };

async function perform(options: NotifyOptions, effect: BatchEffect, url: string): Promise<Verdict> {
  switch (effect.kind) {
    case "finished":
      return { kind: "done", publish: [] };
    case "wait": {
      const tier = notifyTier(effect.tierMs);
      const message = batchMessage(effect.batch, tier.routingKey);
      return { kind: "done", publish: [{ ...message, declareIfUnroutable: () => [tier.queue] }] };
    }
    case "dead":
      options.figures.countPost("dead");
      await options.dead.keep(effect.batch, { url, reason: effect.reason });
      return { kind: "done", publish: [] };
  }
}

function logPost(options: NotifyOptions, batch: BatchMessage, facts: { outcome: PostOutcome; ms: number }): void {
  const { outcome, ms } = facts;
  const { account, jobId } = batch.push.meta;
  options.log.info(
    {
      account,
      jobId,
      mailIds: [...new Set(batch.push.notifications.map(({ meta }) => meta.mail.id))],
      batchId: batch.batchId,
      attempt: batch.attempts + 1,
      outcome: outcome.kind,
      status: outcome.status,
      ...(outcome.kind === "delivered" ? {} : { reason: outcome.reason }),
      notifications: batch.push.notifications.length,
      ms,
      trace_id: traceIdOf(batch.traceparent),
    },
    "notification.posted",
  );
}

/** The POST within its turn; noted in the record before anything follows from it. */
async function postInTurn(
  options: NotifyOptions,
  batch: BatchMessage,
  at: { details: EndpointDetails; turn: Extract<Admission, { kind: "turn" }>["turn"] },
): Promise<PostOutcome> {
  const { clock, figures } = options;
  const startedMs = clock.nowMs();
  const outcome = await options.poster.post(batch, at.details);
  at.turn.end(outcome);
  const nowMs = clock.nowMs();
  figures.countPost(outcome.kind);
  if (outcome.kind === "delivered") {
    for (const { meta } of batch.push.notifications) figures.recordLag((nowMs - Date.parse(meta.event.ts)) / 1_000);
  }
  logPost(options, batch, { outcome, ms: nowMs - startedMs });
  await options.notes.addPost(batch, { url: displayUrl(at.details.url), outcome });
  return outcome;
}

async function notify(
  options: NotifyOptions,
  { message: batch, bytes }: Pick<Delivery<BatchMessage>, "message" | "bytes">,
): Promise<Verdict> {
  const situation = (): BatchSituation => ({ batch, ladder: options.ladder, now: options.clock.now() });
  const choice = await chooseEndpoint(options, batch);
  if (choice.kind === "none") {
    return perform(options, { kind: "dead", batch, reason: choice.reason }, "");
  }
  if (choice.kind === "sealed") return perform(options, decideOutcome(situation(), UNREADABLE), "");
  const { details } = choice;
  const url = displayUrl(details.url);
  const admission = await options.board.admit(details, bytes);
  if (admission.kind === "parked") {
    options.figures.countPost("parked");
    return perform(options, decideParked(situation(), admission), url);
  }
  const outcome = await postInTurn(options, batch, { details, turn: admission.turn });
  return perform(options, decideOutcome(situation(), outcome), url);
}

/** The handler of notifier.batches. */
export function createNotify(options: NotifyOptions): (delivery: Delivery<BatchMessage>) => Promise<Verdict> {
  return (delivery) => notify(options, delivery);
}
