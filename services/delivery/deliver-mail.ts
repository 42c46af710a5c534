// The way of one mail through delivery: routed by the configuration now, let in by its destination, attempted once,
// its outcome recorded, and what follows from that returned. Copies ask the ledger first.
import type { Delivery, Outgoing, Verdict } from "#shared/broker/actor.ts";
import { SUSPECT_TIER_MS } from "#shared/broker/topology.ts";
import { firstLines } from "#shared/broker/worker.ts";
import type { Clock } from "#shared/clock.ts";
import type { Attempt } from "#shared/contracts/attempt.ts";
import type { MailMessage } from "#shared/contracts/mail.ts";
import type { CarriedMail } from "#shared/contracts/outgoing.ts";
import {
  eventToPublish,
  mailToDue,
  mailToExpired,
  mailToLane,
  mailToTier,
  trackedMailOf,
} from "#shared/contracts/outgoing.ts";
import { isRetriable } from "#shared/errors.ts";
import { REST_AFTER_MS } from "#shared/rest-without-store.ts";
import type { Configuration, ConfigurationPort } from "#shared/routing/configuration.ts";
import { isMxForRelayed } from "#shared/routing/fail-closed.ts";
import type { Lane } from "#shared/routing/lane.ts";
import { laneOf } from "#shared/routing/lane.ts";
import type { Route } from "#shared/routing/route.ts";
import { route } from "#shared/routing/route.ts";
import type { SigningRule } from "#shared/signing/signing-rule.ts";
import type { Ledger, LedgerKey } from "#shared/store/ledger.ts";
import type { Bodies, HeldBody } from "./bodies.ts";
import { CLAIM_AFTER_MS } from "./claim-watch.ts";
import type { AttemptMaker } from "./make-attempt.ts";
import type { Destination, Place } from "./destination.ts";
import { followUpOf, setAside } from "#shared/life/follow-up.ts";
import type { LaneRunner } from "./lane-runner.ts";
import { RELAY } from "./lane-runner.ts";
import type { DeliveryMetrics } from "./metrics.ts";

export type SendingRoute = Extract<Route, { kind: "relay" | "mx" }>;

export interface DeliverPorts {
  configuration: ConfigurationPort;
  ledger: Ledger;
  clock: Clock;
  /** For how long a mail waits here: a machine whose clock is set makes none of them look quick. */
  steady: Clock;
  metrics: DeliveryMetrics;
  attempts: AttemptMaker;
  signing: SigningRule;
  /** Those of mails whose body travels in the store. */
  bodies: Pick<Bodies, "hold">;
}

const done = (...publish: Outgoing[]): Verdict => ({ kind: "done", publish });
const keyOf = (mail: MailMessage): LedgerKey => ({ mailId: mail.mailId, attempt: mail.attempt });

/**
 * A mail of the default route whose domain has had no connection free for this long steps aside for the others of its shard;
 * one whose body finds no room, for the others of its lane.
 */
const PATIENCE_MS = 1_000;

const FRESH_POLL_MS = 250;

/** The route of this attempt, or undefined where it is not this lane's, or the mail is to be signed first: then it is routed again, unsent. */
function routeHere(
  mail: MailMessage,
  here: Lane,
  { configuration, ports }: { configuration: Configuration; ports: DeliverPorts },
): SendingRoute | undefined {
  const { head, recipient, lane } = mail;
  const queued = { lane, receivedTs: head.receivedTs };
  const question = { account: head.account, sender: head.sender, recipient, queued };
  const found = route(question, configuration);
  if (found.kind !== "relay" && found.kind !== "mx") return undefined;
  if (isMxForRelayed(found, question, configuration)) {
    ports.metrics.countFailClosed();
    return undefined;
  }
  const lacksSignature =
    found.kind === "mx" && mail.signature === undefined && ports.signing.domainFor(head, configuration) !== undefined;
  return laneOf(found).name === here.name && !lacksSignature ? found : undefined;
}

/** An operator's hold counts for what was taken before it, too. */
const isHeld = (found: SendingRoute): boolean => found.kind === "relay" && found.relay.held;

const isOver = (mail: MailMessage, { clock }: DeliverPorts): boolean => Date.parse(mail.head.deadline) <= clock.nowMs();

const destinationName = (found: SendingRoute): string => (found.kind === "relay" ? RELAY : found.domain);

export async function deliverMail(
  ports: DeliverPorts,
  runner: LaneRunner,
  delivery: Delivery<MailMessage>,
): Promise<Verdict> {
  const { message: mail, content } = delivery;
  const carried: CarriedMail = { mail, content };
  const takenMs = ports.steady.nowMs();
  if (!(await isFreshInTime(ports))) return done(mailToLane(putBack(carried), ports.clock.now()));
  const before = ports.configuration.current();
  const found = routeHere(mail, runner.lane, { configuration: before, ports });
  const known = await askLedger(ports, delivery);
  if (known !== undefined) return known;
  if (isOver(mail, ports)) return done(mailToExpired(carried));
  if (found === undefined) return done(mailToDue(putBack(carried)));
  if (isHeld(found)) return done(mailToLane(putBack(carried), ports.clock.now()));

  const destination = runner.destination(destinationName(found));
  const patienceMs = found.kind === "mx" ? PATIENCE_MS : undefined;
  const place = await destination.enter(mail.head.bulk ? "bulk" : "interactive", patienceMs);
  if (place === "put-back") {
    if (found.kind === "relay") return done(mailToLane(putBack(carried), ports.clock.now()));
    if (!destination.isSuspended && !destination.isHanging) {
      return done(mailToTier(putBack(carried), SUSPECT_TIER_MS));
    }
    return done(setAside(carried, troubleOf(found.domain, destination)));
  }
  try {
    return await startHere(ports, { delivery, runner, found, before, destination, place, takenMs });
  } finally {
    // Not before the outcome is recorded: a kill can double no more mails than there are places.
    place.leave();
  }
}

interface Entered {
  delivery: Delivery<MailMessage>;
  runner: LaneRunner;
  /** The route by the configuration `before`. */
  found: SendingRoute;
  before: Configuration;
  destination: Destination;
  place: Place;
  takenMs: number;
}

/** What has its place needs its body there. It is read first: what takes long comes before the claim and the configuration's word. */
async function startHere(ports: DeliverPorts, entered: Entered): Promise<Verdict> {
  const { message: mail, content } = entered.delivery;
  const held = await holdBody(ports, { mail, content }, entered.destination);
  if (held === "put-back") return done(mailToTier(putBack({ mail, content }), SUSPECT_TIER_MS));
  try {
    const body = await held.read();
    if (!(await isFreshInTime(ports))) return done(mailToLane(putBack({ mail, content }), ports.clock.now()));
    return await startWith(ports, entered, body);
  } finally {
    held.leave();
  }
}

/** A body that travels with its mail is there; for a stored one there has to be room. */
async function holdBody(
  { bodies }: DeliverPorts,
  { mail, content }: CarriedMail,
  destination: Destination,
): Promise<HeldBody | "put-back"> {
  if (mail.content.kind === "stored") return bodies.hold(mail.content, destination, PATIENCE_MS);
  return { read: async () => content, leave: () => undefined };
}

/** What counts is the configuration at the start of the attempt. */
async function startWith(ports: DeliverPorts, entered: Entered, body: Buffer | undefined): Promise<Verdict> {
  const { delivery, runner, found, before, destination, place, takenMs } = entered;
  const { message: mail, content } = delivery;
  const carried: CarriedMail = { mail, content };
  const configuration = ports.configuration.current();
  const now = configuration === before ? found : routeHere(mail, runner.lane, { configuration, ports });
  if (isOver(mail, ports)) return done(mailToExpired(carried));
  if (now === undefined || destinationName(now) !== destinationName(found)) {
    return done(mailToDue(putBack(carried)));
  }
  if (isHeld(now)) return done(mailToLane(putBack(carried), ports.clock.now()));
  const hasWaited = ports.steady.nowMs() - takenMs > CLAIM_AFTER_MS;
  // A process that stood still takes what the broker gave to another meanwhile, whose copy is at most asking the ledger.
  const isLost = delivery.isLost?.() === true;
  const claimsFirst = delivery.suspect || mail.putBack === true || hasWaited || isLost;
  return attemptHere(ports, { delivery, body, found: now, configuration, destination, place, claimsFirst });
}

/** A mail that only waits for the configuration has no copy: its message is not given back for that, which would make it suspect. */
async function isFreshInTime({ configuration, steady }: DeliverPorts): Promise<boolean> {
  const until = steady.nowMs() + REST_AFTER_MS;
  while (!configuration.isFresh && steady.nowMs() < until) await steady.sleep(FRESH_POLL_MS);
  return configuration.isFresh;
}

function putBack({ mail, content }: CarriedMail): CarriedMail {
  return { mail: { ...mail, putBack: true }, content };
}

/** A copy whose attempt was made already goes on from its outcome; one of which nothing is known waits for its twin. */
async function askLedger(ports: DeliverPorts, delivery: Delivery<MailMessage>): Promise<Verdict | undefined> {
  const { message: mail, content, suspect } = delivery;
  if (!suspect && mail.putBack !== true) return undefined;
  const known = await askOutcome(ports, { mail, content });
  if (known !== undefined) return known;
  return suspect && mail.suspectWaits === 0 ? waitForTwin(ports, { mail, content }) : undefined;
}

async function askOutcome(ports: DeliverPorts, carried: CarriedMail): Promise<Verdict | undefined> {
  const { mail } = carried;
  const key = keyOf(mail);
  const unrecorded = ports.attempts.unrecorded(key);
  const outcome = await (unrecorded === undefined
    ? ports.ledger.outcomeOf(key)
    : ports.attempts.record(mail, unrecorded));
  if (outcome === undefined) return undefined;
  ports.metrics.countDuplicate("known");
  return done(followUpOf(carried, outcome, ports.clock.now()));
}

function waitForTwin({ metrics }: DeliverPorts, carried: CarriedMail): Verdict {
  metrics.countDuplicate("waits");
  const { mail, content } = putBack(carried);
  return done(mailToTier({ mail: { ...mail, suspectWaits: mail.suspectWaits + 1 }, content }, SUSPECT_TIER_MS));
}

/** A suspended relay's mails wait in its lane; those of a suspended domain, or one that hangs, on the ladder, out of the shard's way. */
function troubleOf(domain: string, { breaker, isSuspended }: Destination): string {
  if (!isSuspended) return `the servers of ${domain} do not answer`;
  return `deliveries to ${domain} are suspended: ${breaker.suspension?.reason ?? "its servers fail"}`;
}

export interface AttemptHere {
  delivery: Delivery<MailMessage>;
  /** Undefined where it is no longer stored. */
  body: Buffer | undefined;
  found: SendingRoute;
  configuration: Configuration;
  destination: Destination;
  place: Place;
  /** Another copy may have been sent since, or may be about to be. */
  claimsFirst: boolean;
}

async function attemptHere(ports: DeliverPorts, here: AttemptHere): Promise<Verdict> {
  const { message: mail, content, suspect } = here.delivery;
  const carried = { mail, content };
  const owner = ports.attempts.nextOwner();
  const claim = here.claimsFirst ? await ports.attempts.claim(mail, owner) : undefined;
  if (claim === "taken") {
    ports.metrics.countDuplicate("claimed");
    return waitForTwin(ports, carried);
  }
  // Once more: a copy without a claim may have been sent while this one waited for its place.
  const known = claim === undefined ? undefined : await askOutcome(ports, carried);
  if (known !== undefined) return known;
  const { body } = here;
  if (body === undefined) return done(contentMissing(carried, ports.clock.now()));
  const isCopy = suspect || claim === "taken-over";
  const made = await ports.attempts.make({ ...here, body, owner, isCopy }).catch((error: unknown) => {
    // What has an outcome goes on from that: it is recorded at the next try.
    if (isRetriable(error) || ports.attempts.unrecorded(keyOf(mail)) !== undefined) throw error;
    return bugOf(error);
  });
  switch (made.kind) {
    case "park":
      return made;
    case "made":
      return done(followUpOf(carried, made.attempt satisfies Attempt, ports.clock.now()));
    case "abandoned":
      return done(mailToLane(putBack(carried), ports.clock.now()));
    case "claim-lost":
      return waitForTwin(ports, carried);
  }
}

/** Tried again it would be a copy, which finds the claim of this attempt and waits for its outcome, round after round until the deadline. */
const bugOf = (error: unknown): Extract<Verdict, { kind: "park" }> => ({ kind: "park", reason: firstLines(error) });

function contentMissing({ mail }: CarriedMail, at: Date): Outgoing {
  const description = "the stored body of the mail is no longer there";
  return eventToPublish(trackedMailOf(mail), {
    point: "PROCESSING_FAILED",
    attempt: mail.attempt,
    at,
    description,
    record: { lane: mail.lane },
  });
}
