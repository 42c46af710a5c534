// Tells of mails that wait in a closed lane: one DEFERRED each, once they have waited unattempted for the first tier's
// time. The mails stay where they are; who waits is read from the record. Any replica may tell: the tag is the same.
import type { Broker } from "#shared/broker/actor.ts";
import type { Clock } from "#shared/clock.ts";
import type { Outgoing } from "#shared/broker/actor.ts";
import { eventToPublish } from "#shared/contracts/outgoing.ts";
import type { Log } from "#shared/log.ts";
import type { UntoldMail } from "#shared/store/untold-mails.ts";
import type { LaneRunner } from "./lane-runner.ts";

export interface NoticePorts {
  broker: Pick<Broker, "publish">;
  clock: Clock;
  log: Log;
  /** Mails of a lane that were accepted before `moment` and of which nothing has been told since they were processed. */
  untold(lane: { account: string; name: string }, moment: Date, limit: number): Promise<readonly UntoldMail[]>;
  runners(): readonly LaneRunner[];
  firstTierMs: number;
}

const MOST_AT_ONCE = 500;
const LONGEST_PERIOD_MS = 5_000;
const PUBLISH_MS = 10_000;
/** RFC 3463 X.4.1, no answer from host. */
const NO_ANSWER = "4.4.1";

function noticeOf(mail: UntoldMail, { runner, at }: { runner: LaneRunner; at: Date }): Outgoing {
  const { health } = runner;
  const why = health.reason ?? "its lane is closed";
  const description = health.state === "held" ? `waiting: ${why}` : `waiting for the relay: ${why}`;
  const relay = mail.relay === undefined || mail.relay === "" ? {} : { relay: mail.relay };
  return eventToPublish(mail, {
    point: "DEFERRED",
    attempt: 0,
    at,
    description,
    smtp: { reason: `deferred (${description})`, ...relay, dsn: NO_ANSWER },
    record: { lane: runner.lane.name, relay: mail.relay ?? "" },
  });
}

async function tellOf(runner: LaneRunner, ports: NoticePorts): Promise<void> {
  const { lane, closedSince } = runner;
  const now = ports.clock.now();
  if (lane.kind !== "relay" || closedSince === undefined) return;
  if (now.getTime() - closedSince.getTime() < ports.firstTierMs) return;
  const moment = ports.clock.now();
  moment.setTime(now.getTime() - ports.firstTierMs);
  const mails = await ports.untold({ account: lane.account, name: lane.name }, moment, MOST_AT_ONCE);
  if (mails.length === 0) return;
  const notices = mails.map((mail) => noticeOf(mail, { runner, at: now }));
  await ports.broker.publish(notices, { timeoutMs: PUBLISH_MS });
  ports.log.info({ lane: lane.name, mails: mails.length }, "lane.waiting_told");
}

export function startWaitingNotices(ports: NoticePorts): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const periodMs = Math.min(ports.firstTierMs, LONGEST_PERIOD_MS);
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await ports.clock.sleep(periodMs, stopped.signal).catch(() => undefined);
      for (const runner of ports.runners()) {
        if (stopped.signal.aborted) return;
        await tellOf(runner, ports).catch((error: unknown) => {
          ports.log.warn({ lane: runner.lane.name, err: error }, "lane.waiting_untold");
        });
      }
    }
  };
  const running = run();
  return {
    stop: async () => {
      stopped.abort();
      await running;
    },
  };
}
