// Records tracking points: the events of one mail that come together become one write; most need no reading first.
import type { Clock } from "#shared/clock.ts";
import type { MailWriter } from "#shared/store/mail-writer.ts";
import type { MailRecord } from "#shared/store/mails.ts";
import { StoreUnavailable } from "#shared/errors.ts";
import type { RecordedEvent, RecordTerms } from "./record.ts";
import { isLate, isOnRecord, mailIdOfEvent, mergeEvents } from "./record.ts";

export interface Recorder {
  /** Resolves once all are written; answers, in order, whether each is on record and so to be notified. */
  record(events: readonly RecordedEvent[]): Promise<readonly boolean[]>;
}

export interface RecorderOptions {
  writer: MailWriter;
  clock: Clock;
  termsOf: (event: RecordedEvent) => RecordTerms;
  /** Called for each end that came second and differs. */
  onLate: (event: RecordedEvent) => void;
}

interface Group {
  mailId: string;
  events: RecordedEvent[];
  /** What the record would be if these were its first points. */
  alone: MailRecord;
}

const MOST_ROUNDS = 20;
const ROUND_PAUSE_MS = 10;

function groupByMail(events: readonly RecordedEvent[], termsOf: RecorderOptions["termsOf"]): Group[] {
  const byMail = Map.groupBy(events, mailIdOfEvent);
  return [...byMail].flatMap(([mailId, group]) => {
    const [first] = group;
    const alone = first === undefined ? undefined : mergeEvents(undefined, group, termsOf(first));
    return alone === undefined ? [] : [{ mailId, events: group, alone }];
  });
}

/** Whether the group holds a mail's first tracking point, so that most likely nothing is recorded of it yet. */
function isBeginning({ alone }: Group): boolean {
  return alone.points.some(({ event }) => event.type === "STARTED" || event.phase === "PRE_PROCESS");
}

/** Writes without reading, in two commands side by side; answers the groups of which it is not known that they are written. */
async function writeUnseen(writer: MailWriter, groups: readonly Group[]): Promise<Group[]> {
  const plain = groups.filter(({ alone }) => alone.late === undefined);
  const beginnings = plain.filter(isBeginning);
  const followers = plain.filter((group) => !isBeginning(group));
  const [known, appended] = await Promise.all([
    writer.insert(beginnings.map(({ alone }) => alone)),
    writer.append(followers.map(({ alone }) => alone)),
  ]);
  return [
    ...groups.filter(({ alone }) => alone.late !== undefined),
    ...beginnings.filter(({ mailId }) => known.has(mailId)),
    ...(appended === followers.length ? [] : followers),
  ];
}

interface Merge extends Group {
  before: MailRecord | undefined;
  after: MailRecord;
}

/** Reads, merges and writes over what was read; undefined where somebody wrote in between. */
async function mergeOnce(options: RecorderOptions, groups: readonly Group[]): Promise<readonly Merge[] | undefined> {
  const { writer, termsOf } = options;
  const found = await writer.load(groups.map(({ mailId }) => mailId));
  const merges = groups.flatMap((group): Merge[] => {
    const before = found.get(group.mailId);
    const [first] = group.events;
    const after = first === undefined ? undefined : mergeEvents(before, group.events, termsOf(first));
    return after === undefined ? [] : [{ ...group, before, after }];
  });
  const fresh = merges.filter(({ before }) => before === undefined);
  const moved = merges.filter(({ before, after }) => before !== undefined && before !== after);
  const [refused, replaced] = await Promise.all([
    writer.insert(fresh.map(({ after }) => after)),
    writer.replace(moved.map(({ after }) => after)),
  ]);
  return refused.size === 0 && replaced === moved.length ? merges : undefined;
}

/** Merges again until nobody wrote in between. */
async function writeMerged(options: RecorderOptions, groups: readonly Group[]): Promise<readonly Merge[]> {
  if (groups.length === 0) return [];
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const merges = await mergeOnce(options, groups);
    if (merges !== undefined) return merges;
    await options.clock.sleep(ROUND_PAUSE_MS * (1 + round * options.clock.random()));
  }
  throw new StoreUnavailable("the record of a mail changes faster than it can be merged");
}

export function createRecorder(options: RecorderOptions): Recorder {
  return {
    record: async (events) => {
      const groups = groupByMail(events, options.termsOf);
      const merges = await writeMerged(options, await writeUnseen(options.writer, groups));
      for (const { after, events: merged } of merges) {
        for (const event of merged) if (isLate(after, event)) options.onLate(event);
      }
      const written = new Map(groups.map(({ mailId, alone }) => [mailId, alone]));
      for (const { mailId, after } of merges) written.set(mailId, after);
      return events.map((event) => {
        const record = written.get(mailIdOfEvent(event));
        return record !== undefined && isOnRecord(record, event);
      });
    },
  };
}
