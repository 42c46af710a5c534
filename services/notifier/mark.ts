// Up to which moment this replica has recorded all tracking points that it took (shared/store/marks.ts): under load the
// newest one that is written, but nothing at or after one that is still in hand; idle, with an empty queue, now.
import type { Clock } from "#shared/clock.ts";
import type { RecordMarks } from "#shared/store/marks.ts";
import type { RecordedEvent } from "./record.ts";

export interface Mark {
  begin(event: RecordedEvent): void;
  end(event: RecordedEvent): void;
  /** Writes the mark; called every few seconds. */
  state(): Promise<void>;
  /** Seconds that the record is behind; undefined before the first mark. */
  ageSeconds(): number | undefined;
  remove(): Promise<void>;
}

export interface MarkOptions {
  replica: string;
  marks: RecordMarks;
  clock: Clock;
  /** Nothing is ready in the queue and nothing is in hand. */
  isIdle: () => Promise<boolean>;
}

/** A delivery that was lost in the middle (its channel closed) is in hand no more; nobody says so. */
const FORGOTTEN_AFTER_MS = 120_000;

export function createMark({ replica, marks, clock, isIdle }: MarkOptions): Mark {
  const inHand = new Map<string, { atMs: number; begunMs: number }>();
  let newestMs: number | undefined;
  let statedMs: number | undefined;

  const tagOf = (event: RecordedEvent): string => event.body.notification.meta.tag;
  const timeOf = (event: RecordedEvent): number => Date.parse(event.body.notification.meta.event.ts);

  const forgetLost = (nowMs: number): void => {
    for (const [tag, { begunMs }] of inHand) {
      if (nowMs - begunMs > FORGOTTEN_AFTER_MS) inHand.delete(tag);
    }
  };

  const moment = async (): Promise<number | undefined> => {
    const nowMs = clock.nowMs();
    if (await isIdle()) {
      inHand.clear();
      newestMs = nowMs;
      return nowMs;
    }
    forgetLost(nowMs);
    if (newestMs === undefined) return undefined;
    return [...inHand.values()].reduce((least, { atMs }) => Math.min(least, atMs), newestMs);
  };

  return {
    begin: (event) => inHand.set(tagOf(event), { atMs: timeOf(event), begunMs: clock.nowMs() }),
    end: (event) => {
      inHand.delete(tagOf(event));
      newestMs = Math.max(newestMs ?? 0, Math.min(timeOf(event), clock.nowMs()));
    },
    state: async () => {
      const upToMs = await moment();
      if (upToMs === undefined) return;
      statedMs = upToMs;
      await marks.state({ replica, recordedUpTo: new Date(upToMs), at: clock.now() });
    },
    ageSeconds: () => (statedMs === undefined ? undefined : (clock.nowMs() - statedMs) / 1_000),
    remove: () => marks.remove(replica),
  };
}
