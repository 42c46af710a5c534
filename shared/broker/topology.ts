// Every exchange, queue, binding, TTL and dead-letter target, as data (design, Exchanges and queues).
// No exchange, queue or routing key is spelled anywhere else.
import { formatDuration } from "#shared/duration.ts";

export const SERVICES = ["ingest", "router", "delivery", "retry-scheduler", "notifier", "control"] as const;
export type ServiceName = (typeof SERVICES)[number];

/** Those that an operator asks something of through control. */
export const COMMANDED = ["router", "delivery", "notifier"] as const satisfies readonly ServiceName[];
export type CommandedService = (typeof COMMANDED)[number];

export const EXCHANGES = {
  submissions: "waypost.submissions",
  jobs: "waypost.jobs",
  mails: "waypost.mails",
  attempts: "waypost.attempts",
  due: "waypost.due",
  events: "waypost.events",
  points: "waypost.points",
  notifications: "waypost.notifications",
  dead: "waypost.dead",
  relayHealth: "waypost.relay-health",
  recreated: "waypost.recreated",
  changed: "waypost.changed",
  commands: "waypost.commands",
} as const;

export const QUEUES = {
  submissions: "ingest.submissions",
  jobsInteractive: "router.jobs.interactive",
  jobsBulk: "router.jobs.bulk",
  due: "router.due",
  bounces: "router.bounces",
  attempts: "retry-scheduler.attempts",
  events: "notifier.events",
  batches: "notifier.batches",
  deadLetters: "dead-letters",
} as const;

export const ROUTING_KEYS = {
  submission: "jobs",
  interactive: "interactive",
  bulk: "bulk",
  deferred: "deferred",
  expired: "expired",
  points: "points",
  batch: "batch",
} as const;

/** Where several messages may travel as one (pack.ts). Applications can't publish there. */
export const PACKED_MAILBOXES: readonly string[] = [QUEUES.events];

/** Returns of one message to its queue before it goes to the dead letters: well above the crashes of one deployment. */
export const DELIVERY_LIMIT = 50;

/** The short tier in which a suspect mail waits for its twin's outcome (design, Ledger). */
export const SUSPECT_TIER_MS = 5_000;

export interface ExchangeSpec {
  readonly kind: "exchange";
  readonly name: string;
  readonly type: "direct" | "topic" | "fanout";
  readonly durable: boolean;
}

export interface QueueSpec {
  readonly kind: "queue";
  readonly name: string;
  readonly arguments: Readonly<Record<string, string | number>>;
  readonly bindings: readonly Binding[];
  /** Bindings of earlier versions, taken away wherever they stand. */
  readonly formerBindings?: readonly Binding[];
}

export interface Binding {
  readonly exchange: string;
  readonly routingKey: string;
}

const exchange = (name: string, type: ExchangeSpec["type"]): ExchangeSpec => ({
  kind: "exchange",
  name,
  type,
  durable: true,
});

type BindingPair = readonly [exchange: string, routingKey: string];

const bindingsOf = (pairs: readonly BindingPair[]): Binding[] =>
  pairs.map(([exchange_, routingKey]) => ({ exchange: exchange_, routingKey }));

interface MailboxOptions {
  bindings: readonly BindingPair[];
  formerBindings?: readonly BindingPair[];
  /** Where what cannot be handled, or expires, goes; its own name to waypost.dead by default. */
  deadLetter?: { exchange: string; routingKey?: string };
  ttlMs?: number;
  deliveryLimit?: number | "none";
}

function mailbox(name: string, options: MailboxOptions): QueueSpec {
  const target = options.deadLetter ?? { exchange: EXCHANGES.dead, routingKey: name };
  const limited = options.deliveryLimit !== "none";
  return {
    kind: "queue",
    name,
    arguments: {
      "x-queue-type": "quorum",
      ...(limited
        ? {
            "x-delivery-limit": options.deliveryLimit ?? DELIVERY_LIMIT,
            "x-dead-letter-exchange": target.exchange,
            ...(target.routingKey === undefined ? {} : { "x-dead-letter-routing-key": target.routingKey }),
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
          }
        : { "x-delivery-limit": 1_000_000_000 }),
      ...(options.ttlMs === undefined ? {} : { "x-message-ttl": options.ttlMs }),
    },
    bindings: bindingsOf(options.bindings),
    ...(options.formerBindings === undefined ? {} : { formerBindings: bindingsOf(options.formerBindings) }),
  };
}

export const commandsQueueOf = (service: CommandedService): string => `${service}.commands`;

/** What every service declares at its start. */
export const TOPOLOGY: { readonly exchanges: readonly ExchangeSpec[]; readonly queues: readonly QueueSpec[] } = {
  exchanges: [
    exchange(EXCHANGES.submissions, "direct"),
    exchange(EXCHANGES.jobs, "direct"),
    exchange(EXCHANGES.mails, "direct"),
    exchange(EXCHANGES.attempts, "direct"),
    exchange(EXCHANGES.due, "topic"),
    exchange(EXCHANGES.events, "topic"),
    exchange(EXCHANGES.points, "direct"),
    exchange(EXCHANGES.notifications, "direct"),
    exchange(EXCHANGES.dead, "topic"),
    exchange(EXCHANGES.relayHealth, "fanout"),
    exchange(EXCHANGES.recreated, "fanout"),
    exchange(EXCHANGES.changed, "fanout"),
    exchange(EXCHANGES.commands, "direct"),
  ],
  queues: [
    mailbox(QUEUES.submissions, { bindings: [[EXCHANGES.submissions, ROUTING_KEYS.submission]] }),
    mailbox(QUEUES.jobsInteractive, { bindings: [[EXCHANGES.jobs, ROUTING_KEYS.interactive]] }),
    mailbox(QUEUES.jobsBulk, { bindings: [[EXCHANGES.jobs, ROUTING_KEYS.bulk]] }),
    mailbox(QUEUES.due, { bindings: [[EXCHANGES.due, "#"]] }),
    mailbox(QUEUES.bounces, { bindings: [[EXCHANGES.events, "*.bounced.hard_bounce"]] }),
    mailbox(QUEUES.attempts, {
      bindings: [
        [EXCHANGES.attempts, ROUTING_KEYS.deferred],
        [EXCHANGES.attempts, ROUTING_KEYS.expired],
      ],
    }),
    mailbox(QUEUES.events, {
      bindings: [[EXCHANGES.points, ROUTING_KEYS.points]],
      formerBindings: [[EXCHANGES.events, "#"]],
    }),
    mailbox(QUEUES.batches, { bindings: [[EXCHANGES.notifications, ROUTING_KEYS.batch]] }),
    mailbox(QUEUES.deadLetters, { bindings: [[EXCHANGES.dead, "#"]], deliveryLimit: "none" }),
    ...COMMANDED.map((service) => mailbox(commandsQueueOf(service), { bindings: [[EXCHANGES.commands, service]] })),
  ],
};

/** A tier of the retry ladder: an exchange of its own whose queue's fixed TTL leads to waypost.due. Named by its TTL. */
export function waitTier(ttlMs: number): { exchange: ExchangeSpec; queue: QueueSpec } {
  const tier = formatDuration(ttlMs);
  const name = `waypost.wait.${tier}`;
  return {
    exchange: exchange(name, "fanout"),
    queue: mailbox(`retry-scheduler.wait.${tier}`, {
      bindings: [[name, ""]],
      deadLetter: { exchange: EXCHANGES.due },
      ttlMs,
    }),
  };
}

/** A tier of the notification ladder: key and queue named by its TTL, leading back to notifier.batches. */
export function notifyTier(ttlMs: number): { routingKey: string; queue: QueueSpec } {
  const tier = formatDuration(ttlMs);
  return {
    routingKey: tier,
    queue: mailbox(`notifier.wait.${tier}`, {
      bindings: [[EXCHANGES.notifications, tier]],
      deadLetter: { exchange: EXCHANGES.notifications, routingKey: ROUTING_KEYS.batch },
      ttlMs,
    }),
  };
}

/** The names of a lane's two mailboxes, which are their routing keys. */
export const laneKeys = (lane: string) => ({ interactive: lane, bulk: `${lane}.bulk` });

/** The two mailboxes of a lane. Mails expire from them into waypost.attempts. */
export function laneMailboxes(lane: string): { interactive: QueueSpec; bulk: QueueSpec } {
  const spec = (name: string): QueueSpec =>
    mailbox(name, {
      bindings: [[EXCHANGES.mails, name]],
      deadLetter: { exchange: EXCHANGES.attempts, routingKey: ROUTING_KEYS.expired },
    });
  const { interactive, bulk } = laneKeys(lane);
  return { interactive: spec(interactive), bulk: spec(bulk) };
}

/** Routing key of a tracking point on waypost.events: `acme.delivered.ok`. */
export function eventRoutingKey(account: string, event: { type: string; subType: string }): string {
  return `${account}.${event.type}.${event.subType}`.toLowerCase();
}

/** A queue's name without account, domain or address: what spans and metrics call it. */
export function destinationTemplate(queue: string): string {
  if (queue.startsWith("delivery.relay.")) return "delivery.relay.{account}.{domain}";
  if (queue.startsWith("delivery.mx.ip.")) return "delivery.mx.ip.{address}";
  if (queue.startsWith("delivery.mx.")) return "delivery.mx.{shard}";
  return queue;
}
