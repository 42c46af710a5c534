// What every scenario of the bench stands on: one Waypost, a sink, and a way to measure a feed.
import type { Told } from "./told.ts";
import type { Peer } from "./peers/peer.ts";
import type { Waypost } from "./peers/waypost.ts";
import type { Measured } from "./rounds.ts";
import { measure } from "./rounds.ts";
import type { Sink } from "./sink.ts";
import type { Load } from "./sources.ts";
import { feedRest, feedSmtp } from "./sources.ts";

export interface Row {
  scenario: string;
  measured?: Measured;
  note?: string;
}

export interface Ground {
  waypost: Waypost;
  sink: Sink;
  sinkPort: number;
  told: Told;
  load: Load;
  /** Mails of the step with many waiting mails. */
  waiting: number;
}

/** The configuration has reached all services: a mail of this sender gets through. */
export async function warm(ground: Ground, sender: string, target: Pick<Sink, "accepted" | "reached"> = ground.sink) {
  const before = target.accepted;
  await byRest(ground, { ...ground.load, mails: 20, senders: [sender] });
  await target.reached(before + 20, 60_000);
}

export function byRest({ waypost }: Ground, load: Load): Promise<number> {
  return feedRest(waypost.restTarget(), load);
}

export function bySmtp({ waypost }: Ground, load: Load): Promise<number> {
  return feedSmtp(waypost.smtpPort, load);
}

export function measureFeed(
  { waypost, sink }: { waypost: Peer; sink: Sink },
  mails: number,
  feed: () => Promise<number>,
): Promise<Measured> {
  return measure(waypost, sink, { mails, feed });
}
