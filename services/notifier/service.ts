// The notifier: records tracking points and tells the customer's endpoint of them (design, The record and the notifier).
import type { Consumption } from "#shared/broker/actor.ts";
import { MOST_BYTES_HELD } from "#shared/broker/byte-budget.ts";
import { commandsQueueOf, notifyTier, QUEUES } from "#shared/broker/topology.ts";
import { commandMessageSchema } from "#shared/contracts/command.ts";
import { batchMessageSchema } from "#shared/contracts/batch.ts";
import { eventMessageSchema } from "#shared/contracts/event.ts";
import { declareTiers } from "#shared/declare-tiers.ts";
import type { Account, Configuration } from "#shared/routing/configuration.ts";
import { findConfirmed } from "#shared/routing/find-confirmed.ts";
import { createNetworkPolicy } from "#shared/network/policy.ts";
import { createSealer } from "#shared/secrets.ts";
import type { RunningService, ServiceContext, ServiceDefinition } from "#shared/service-definition.ts";
import { followConfiguration } from "#shared/follow-configuration.ts";
import { createDeadNotifications, ensureDeadNotificationIndexes } from "#shared/store/dead-notifications.ts";
import { createEndpoints, ensureEndpointIndexes } from "#shared/store/endpoints.ts";
import { createGroupCommit } from "#shared/store/group-commit.ts";
import { eraseRecipient } from "#shared/store/mail-erasure.ts";
import { createMailWriter } from "#shared/store/mail-writer.ts";
import { ensureMailIndexes } from "#shared/store/mails.ts";
import { createRecordMarks } from "#shared/store/marks.ts";
import { prepareWhenThere } from "#shared/store/prepare.ts";
import { inTraceOf } from "#shared/telemetry/propagate.ts";
import { createBoard } from "./board.ts";
import { createCollector } from "./collector.ts";
import { createCommandHandler } from "./commands.ts";
import { createDeadKeeper } from "./dead.ts";
import { createEventHandler } from "./events.ts";
import { createFigures } from "./figures.ts";
import { createHttpClient } from "./http-client.ts";
import { createMark } from "./mark.ts";
import { createNotes } from "./notes.ts";
import { createNotify } from "./notify.ts";
import { createPoster } from "./post.ts";
import type { RecordedEvent } from "./record.ts";
import { createRecorder } from "./recorder.ts";
import { repeat } from "./repeat.ts";

type Context = ServiceContext<"notifier">;

/** Points wait in hand for their batch, so many that a full linger of a busy system fits. */
const EVENTS_IN_HAND = 3_000;
/** Of messages that hold one point to a hundred: a publisher under load sends a hundred or two a second. */
const EVENT_MESSAGES_PREFETCHED = 500;
const MOST_EVENTS_IN_ONE_WRITE = 500;
/** What a busy system's tracking point waits for others to be written with it. */
const RECORD_EVERY_MS = 10;
/** From a thousand points a second on: a mail's points then come to be written together, most of them as one insert. */
const RECORD_BUSY = { items: 10, everyMs: 80 };
/** Above what an endpoint, or an account, that hangs holds (board.ts), so that the others go on. */
const BATCHES_IN_HAND = 500;
/** An endpoint that is tried may hang: so many that are do not keep others from being switched on. */
const COMMANDS_IN_HAND = 50;
const POST_TIMEOUT_MS = 10_000;
const MARK_EVERY_MS = 2_000;
const BOARD_EVERY_MS = 1_000;
const DAY_MS = 86_400_000;

async function build({ settings, log, clock, broker, store }: Context) {
  const configuration = await followConfiguration({ broker, store, clock, log });
  const sealer = createSealer(settings.WAYPOST_SECRET_KEY, settings.WAYPOST_SECRET_KEY_PREVIOUS);
  const client = createHttpClient({ network: createNetworkPolicy(settings), timeoutMs: POST_TIMEOUT_MS });
  const endpoints = createEndpoints(store);
  const deadNotifications = createDeadNotifications(store);
  const writer = createMailWriter(store);
  const deadlineMs = settings.WAYPOST_NOTIFY_DEADLINE;
  const dead = createDeadKeeper({
    broker,
    clock,
    log,
    store: deadNotifications,
    writer,
    terms: { retentionMs: settings.WAYPOST_RETENTION, deadlineMs },
  });
  return {
    configuration,
    sealer,
    client,
    endpoints,
    deadNotifications,
    writer,
    dead,
    figures: createFigures(),
    poster: createPoster({ client, clock }),
    board: createBoard({
      endpoints,
      clock,
      log,
      mostWaiting: BATCHES_IN_HAND * 0.9,
      mostOfAccount: { posts: BATCHES_IN_HAND * 0.4, bytes: MOST_BYTES_HELD * 0.25 },
      keptMs: deadlineMs + DAY_MS,
    }),
    collector: createCollector({
      broker,
      clock,
      terms: {
        max: settings.WAYPOST_NOTIFY_BATCH,
        lingerMs: settings.WAYPOST_NOTIFY_LINGER,
        deadlineMs,
        mostHeld: EVENTS_IN_HAND / 2,
      },
    }),
  };
}

type Parts = Awaited<ReturnType<typeof build>>;

function startEvents({ broker, clock, log, settings, store }: Context, parts: Parts) {
  const accountOf =
    ({ body }: RecordedEvent) =>
    (configuration: Configuration): Account | undefined =>
      configuration.account(body.meta.account);
  const hasEndpoint = (event: RecordedEvent): boolean =>
    event.record.endpoint !== undefined || accountOf(event)(parts.configuration.current())?.notification !== undefined;
  const recorder = createRecorder({
    writer: parts.writer,
    clock,
    termsOf: (event) => ({ retentionMs: settings.WAYPOST_RETENTION, hasEndpoint: hasEndpoint(event) }),
    onLate: ({ body: { notification }, record }) => {
      parts.figures.countLate();
      const facts = { mailId: notification.meta.mail.id, type: notification.meta.event.type };
      inTraceOf(record.traceparent, () => log.error(facts, "record.late"));
    },
  });
  const commit = createGroupCommit<{ event: RecordedEvent; isOnRecord: boolean }>({
    write: async (items) => {
      const onRecord = await recorder.record(items.map(({ event }) => event));
      for (const [index, item] of items.entries()) item.isOnRecord = onRecord[index] === true;
      parts.figures.countRecorded(items.length);
      for (const { event, isOnRecord } of items) if (isOnRecord) parts.figures.recordEnd(event.body);
    },
    max: MOST_EVENTS_IN_ONE_WRITE,
    isRepeatable: true,
    pace: { everyMs: RECORD_EVERY_MS, busy: RECORD_BUSY, clock },
  });
  const recorded = async (event: RecordedEvent): Promise<boolean> => {
    await findConfirmed(parts.configuration, accountOf(event));
    const item = { event, isOnRecord: false };
    await commit.add(item);
    return item.isOnRecord;
  };
  const isIdle = async (): Promise<boolean> => consumption.inHand === 0 && (await broker.depth(QUEUES.events)) === 0;
  const mark = createMark({ replica: clock.uuid(), marks: createRecordMarks(store), clock, isIdle });
  const handle = createEventHandler({ collector: parts.collector, recorded, mark, hasEndpoint });
  const contracts = { event: eventMessageSchema };
  const consumption = broker.start({
    mailbox: QUEUES.events,
    contracts,
    prefetch: EVENT_MESSAGES_PREFETCHED,
    mostInHand: EVENTS_IN_HAND,
    handle,
  });
  return { mark, consumption };
}

function startBatches({ broker, clock, log, settings }: Context, parts: Parts): Consumption {
  const handle = createNotify({
    ...parts,
    clock,
    log,
    ladder: { schedule: settings.WAYPOST_NOTIFY_SCHEDULE },
    notes: createNotes(parts.writer, clock),
  });
  const contracts = { batch: batchMessageSchema };
  return broker.start({ mailbox: QUEUES.batches, contracts, prefetch: BATCHES_IN_HAND, handle });
}

function startCommands({ broker, clock, store }: Context, parts: Parts): Consumption {
  const handle = createCommandHandler({ ...parts, clock, erase: (address) => eraseRecipient(store, address) });
  const contracts = { command: commandMessageSchema };
  return broker.start({ mailbox: commandsQueueOf("notifier"), contracts, prefetch: COMMANDS_IN_HAND, handle });
}

async function prepareStore({ store }: Context): Promise<void> {
  await ensureMailIndexes(store);
  await ensureEndpointIndexes(store);
  await ensureDeadNotificationIndexes(store);
}

async function start(context: Context): Promise<RunningService> {
  const { broker, clock, log, settings } = context;
  const parts = await build(context);
  const stopping = new AbortController();
  const { signal } = stopping;
  const tiers = [...new Set(settings.WAYPOST_NOTIFY_SCHEDULE)].map((tierMs) => notifyTier(tierMs));
  await declareTiers({ broker, log }, tiers);
  let isPrepared = false;
  const prepare = async (): Promise<void> => {
    await prepareStore(context);
    isPrepared = true;
  };
  const preparation = prepareWhenThere(prepare, { clock, log });
  repeat({ clock, log, signal, everyMs: BOARD_EVERY_MS, name: "board" }, () => parts.board.synchronize());
  const { mark, consumption } = startEvents(context, parts);
  repeat({ clock, log, signal, everyMs: MARK_EVERY_MS, name: "mark" }, () => mark.state());
  parts.figures.observe({ endpoints: () => parts.board.counts(), recordAge: () => mark.ageSeconds() });
  const consumptions = [consumption, startBatches(context, parts), startCommands(context, parts)];
  return {
    notReady: () => {
      if (!isPrepared) return "the indexes of the record are not made yet";
      return parts.configuration.isFresh ? undefined : "the configuration is not confirmed";
    },
    stop: async () => {
      stopping.abort();
      preparation.stop();
      parts.collector.drain();
      await Promise.all(consumptions.map((each) => each.cancel()));
      await parts.configuration.close();
      await Promise.allSettled([mark.remove(), parts.board.synchronize()]);
    },
  };
}

export const service: ServiceDefinition<"notifier"> = { name: "notifier", ports: () => [], start };
