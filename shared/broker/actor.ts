// What a service sees of the broker: actors that take typed messages from mailboxes and return what follows as values.
// The runtime alone touches the channel: it publishes what a handler returned, awaits the confirms, then acknowledges.
import type { z } from "zod";
import type { QueueSpec } from "./topology.ts";

/** Where messages go that travel together: a mailbox of PACKED_MAILBOXES is bound there. */
export interface PackTarget {
  exchange: string;
  routingKey: string;
}

/** A message to publish. Properties and headers are built afresh by the publisher; nothing is copied from an input. */
export interface Outgoing {
  exchange: string;
  routingKey: string;
  /** Kind of the message, e.g. `mail`: becomes the AMQP property `type`. */
  type: string;
  /** The JSON part; not looked at where there is `raw`. */
  body: object;
  /** Raw bytes that travel behind the JSON (a MIME body): never encoded, never copied through JSON. */
  content?: Buffer | undefined;
  /** The whole AMQP body as it is, in place of `body` and `content`: for dead letters and their replay. */
  raw?: Buffer | undefined;
  messageId?: string | undefined;
  correlationId?: string | undefined;
  replyTo?: string | undefined;
  /** Further headers, strings only; built by whoever publishes, never copied from an input. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Per-message TTL in ms, for what waits in a lane until its deadline. */
  expirationMs?: number | undefined;
  /** JSON for the header `waypost-record` (see contracts/event.ts). */
  record?: object | undefined;
  /** In place of `record` for the copy that travels alone, where `packedTo` takes the whole. Left out where it is long. */
  publicRecord?: object | undefined;
  /** W3C traceparent to use in place of the active span's context. */
  traceparent?: string | undefined;
  /** Force the mark; otherwise it is inherited from the input (design, Rules 4). */
  suspect?: boolean | undefined;
  /** Queues to declare when the broker returns the message as unroutable, before it is published again. */
  declareIfUnroutable?: (() => readonly QueueSpec[]) | undefined;
  /** A message nobody need be there for (relay health, replies): transient, and a return is no failure. */
  transient?: boolean | undefined;
  /** Persistent and confirmed, but unrouted where nobody has bound a queue: that is no failure. */
  mayBeUnrouted?: boolean | undefined;
  /** A queue of ours among those that it goes to: where somebody else's refuses it, it goes there by itself. */
  ownQueue?: string | undefined;
  /** It goes there as well, with others that come at the same time as one message (pack.ts). */
  packedTo?: PackTarget | undefined;
}

/** A message as a handler gets it: parsed by its schema. */
export interface Delivery<M> {
  type: string;
  message: M;
  /** The raw bytes behind the JSON; empty where there were none. Under the contract "" it is the whole AMQP body. */
  content: Buffer;
  /** A copy of this message may exist: it was redelivered, or came from an input that was (design, Rules 4). */
  suspect: boolean;
  /** Whether its channel is gone by now: the broker gives it to somebody again. */
  isLost?: () => boolean;
  queue: string;
  exchange: string;
  routingKey: string;
  /** Bytes of the whole AMQP body. */
  bytes: number;
  properties: {
    messageId?: string;
    correlationId?: string;
    replyTo?: string;
    userId?: string;
    contentType?: string;
    /** Of the first death, e.g. `expired` or `delivery_limit`, where the broker dead-lettered it here. */
    deathReason?: string;
    /** The queue it died in. */
    deathQueue?: string;
  };
  headers: Readonly<Record<string, unknown>>;
  /** The context of the message as W3C traceparent, where it has one. */
  traceparent: string | undefined;
}

/**
 * How a handler wants its input settled. `after`: what is published waits for that, and no other input does; it never
 * rejects. `park`: to the dead letters with this reason, nothing is lost.
 */
export type Verdict =
  | { kind: "done"; publish: readonly Outgoing[]; after?: Promise<void> | undefined }
  | { kind: "park"; reason: string; publish?: readonly Outgoing[] };

/**
 * The messages that a mailbox takes, by their AMQP property `type`. A message of no known type is parked, unless there is
 * a contract "": that one takes what comes from outside. It gets the parsed JSON, or undefined where the body is none.
 */
export type Contracts<M> = Readonly<Record<string, z.ZodType<M>>>;

export interface SingleActor<M> {
  mailbox: string;
  contracts: Contracts<M>;
  /** Most messages in hand at once: near the real concurrency. */
  prefetch: number;
  /** Most deliveries in hand at once, where a message may hold several: `prefetch` by default. */
  mostInHand?: number;
  /**
   * Throws a retriable WaypostError for a fault of a backing service: the runtime keeps the delivery, pauses the
   * mailbox until the service is back and calls again with `suspect` set. Any other throw is tried again twice, then parked.
   */
  handle(delivery: Delivery<M>): Promise<Verdict>;
}

export interface BatchTerms<M> {
  max: number;
  /** Longest wait for more to come. */
  lingerMs: number;
  /** A batch begins this long after the one before, unless it is full: a busy mailbox has few large ones. */
  everyMs?: number;
  /** Where deliveries differ in what they bring along (a job its recipients): the next batch waits while `most` of that is in hand. */
  load?: { of(message: M): number; most: number };
}

export interface BatchActor<M> {
  mailbox: string;
  contracts: Contracts<M>;
  prefetch: number;
  mostInHand?: number;
  batch: BatchTerms<M>;
  /** Verdicts in the order of the deliveries. Throws as `handle` does: then each is handled alone, to find the culprit. */
  handleBatch(deliveries: readonly Delivery<M>[]): Promise<readonly Verdict[]>;
}

export interface Consumption {
  /** Stops taking new messages; what is in hand is finished. Resolves when nothing is in hand. */
  cancel(): Promise<void>;
  /**
   * Takes messages again, at most `prefetch` at once. Also changes the prefetch of a running consumption. What a lane
   * still has in hand from before is not counted: it probes beside it.
   */
  resume(prefetch: number): Promise<void>;
  /** Takes as many again: what is in hand is not counted any more. Nothing where it is paused. */
  refill(): Promise<void>;
  /** Hands back to the queue what was prefetched and not yet begun, and stops taking more; in-hand work goes on. */
  pause(): Promise<void>;
  readonly inHand: number;
}

export interface Broker {
  /** Starts an actor. Consumption survives reconnects; the mailbox is declared again if it is gone. */
  start<M>(actor: SingleActor<M> | BatchActor<M>): Consumption;
  /** As `start`, for a lane's mailbox, which is declared here and begins paused. */
  startPaused<M>(actor: SingleActor<M>, mailbox: QueueSpec): Consumption;
  /** Resolves once every message is confirmed by the broker. Throws BrokerUnavailable after `timeoutMs` (no limit by default). */
  publish(messages: readonly Outgoing[], options?: { timeoutMs?: number }): Promise<void>;
  declare(queues: readonly QueueSpec[]): Promise<void>;
  /** Declares an exchange with its queue (a retry tier). */
  declareTier(tier: { exchange?: { name: string; type: string; durable: boolean }; queue: QueueSpec }): Promise<void>;
  deleteQueue(name: string): Promise<void>;
  /** Ready messages, or undefined where there is no such queue. */
  depth(queue: string): Promise<number | undefined>;
  /** Whether a queue that is there was declared otherwise than `queue` says. */
  differs(queue: QueueSpec): Promise<boolean>;
  /** Listens with an exclusive, transient queue of this process (relay health). Re-made on every reconnect. */
  listen<M>(exchange: string, contracts: Contracts<M>, onMessage: (message: M) => void): void;
  /** Sends to `routingKey` of waypost.commands and awaits the reply. Throws BrokerUnavailable after `timeoutMs`. */
  request(service: string, body: object, timeoutMs: number): Promise<unknown>;
  /** Connected, topology declared, not blocked by an alarm. */
  readonly ready: boolean;
  /** Why there is no connection, as far as is known: refused, wrong password, missing permission. */
  readonly failure: string | undefined;
  /** Set while a memory or disk alarm of the broker blocks publishing. */
  readonly blocked: string | undefined;
  /**
   * Takes nothing from any mailbox, and gives back what waits for a backing service that this process lacks: another replica
   * may have it. Or takes again.
   */
  rest(isResting: boolean): void;
  /** Takes nothing new from any mailbox; what is in hand goes on, and publishing works as before. */
  stopTaking(): Promise<void>;
  /** Stops consuming, finishes what is in hand for at most `drainMs`, closes; the rest goes back to its queue. */
  close(drainMs: number): Promise<void>;
}
