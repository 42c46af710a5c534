// The actor of due mails: a retry's time has come, or a lane is no longer a mail's way. Each is routed again by the
// configuration now, which may be another lane; one past its deadline goes to its end.
import type { BatchActor, Delivery, Outgoing, Verdict } from "#shared/broker/actor.ts";
import { QUEUES } from "#shared/broker/topology.ts";
import type { MailMessage } from "#shared/contracts/mail.ts";
import { mailMessageSchema, MESSAGE_VERSION } from "#shared/contracts/mail.ts";
import { eventToPublish, mailToExpired, mailToLane, trackedMailOf } from "#shared/contracts/outgoing.ts";
import type { Configuration } from "#shared/routing/configuration.ts";
import type { Lane } from "#shared/routing/lane.ts";
import type { Ledger } from "#shared/store/ledger.ts";
import type { RouteDecision } from "./decide-route.ts";
import { decideRoute } from "./decide-route.ts";
import type { JobPorts } from "./jobs.ts";
import { configurationFor } from "./jobs.ts";
import type { JobSigner } from "./sign.ts";

export type DuePorts = Pick<JobPorts, "configuration" | "newLanes" | "clock" | "metrics" | "signer"> & {
  ledger: Pick<Ledger, "outcomesOf">;
};

export function createDueActor(ports: DuePorts, size: { prefetch: number; batch: number }): BatchActor<MailMessage> {
  return {
    mailbox: QUEUES.due,
    contracts: { mail: mailMessageSchema },
    prefetch: size.prefetch,
    batch: { max: size.batch, lingerMs: 1 },
    handleBatch: (deliveries) => handleDue(ports, deliveries),
  };
}

export type DueFate = { kind: "expired" } | RouteDecision;

/** Where a due mail goes now. */
export function decideDue(mail: MailMessage, configuration: Configuration, now: Date): DueFate {
  const { head, recipient, lane } = mail;
  if (Date.parse(head.deadline) <= now.getTime()) return { kind: "expired" };
  const queued = { lane, receivedTs: head.receivedTs };
  return decideRoute({ account: head.account, sender: head.sender, recipient, queued }, configuration);
}

async function handleDue(ports: DuePorts, deliveries: readonly Delivery<MailMessage>[]): Promise<Verdict[]> {
  const configuration = await configurationFor(deliveries, ports);
  const now = ports.clock.now();
  const decided = await Promise.all(
    deliveries.map(async (delivery) => {
      const fate = decideDue(delivery.message, configuration, now);
      return signedIfDue(ports.signer, { delivery, fate }, configuration);
    }),
  );
  await ports.newLanes.list(decided.flatMap(({ fate }) => lanesOf(fate)));
  return Promise.all(
    decided.map(async ({ delivery, fate }): Promise<Verdict> => {
      if (endsHere(fate) && delivery.suspect && (await hasEnded(delivery.message, ports.ledger))) {
        return { kind: "done", publish: [] };
      }
      count(fate, ports);
      const after = ports.newLanes.whenMade(lanesOf(fate));
      return { kind: "done", publish: [consequenceOf(delivery, fate, now)], after };
    }),
  );
}

const lanesOf = (fate: DueFate): Lane[] => (fate.kind === "routed" ? [fate.lane] : []);

interface Decided {
  delivery: Delivery<MailMessage>;
  fate: DueFate;
}

/** A mail that waited for a relay is signed when its way is now the default route and its domain wants it so. */
async function signedIfDue(signer: JobSigner, decided: Decided, configuration: Configuration): Promise<Decided> {
  const { delivery, fate } = decided;
  const mail = delivery.message;
  if (fate.kind !== "routed" || fate.route.kind !== "mx" || mail.signature !== undefined) return decided;
  const entries = [{ headers: mail.headers, addresses: [mail.email] }];
  const job = { version: MESSAGE_VERSION, head: mail.head, entries, content: mail.content } as const;
  const toSign = { message: { ...job, entries }, content: delivery.content };
  const routed = { kind: "routed", mail, lane: fate.lane, route: fate.route } as const;
  const [signed] = await signer.sign([routed], toSign, configuration);
  if (signed?.kind === "failed") return { delivery, fate: { kind: "failed", reason: signed.reason } };
  return signed?.kind === "routed" ? { delivery: { ...delivery, message: signed.mail }, fate } : decided;
}

const endsHere = (fate: DueFate): boolean => fate.kind === "bounce" || fate.kind === "failed";

/** A copy of a suspect mail may have been delivered: then delivery tells its end, and nobody else. */
async function hasEnded(mail: MailMessage, ledger: DuePorts["ledger"]): Promise<boolean> {
  const outcomes = await ledger.outcomesOf(mail.mailId);
  return outcomes.some(({ result }) => result.status !== "deferred");
}

function consequenceOf({ message: mail, content }: Delivery<MailMessage>, fate: DueFate, now: Date): Outgoing {
  const tracked = trackedMailOf(mail);
  // What is told of it is told under the attempt that it asks for: an end has one tag whatever the attempt.
  const fact = { attempt: mail.attempt, at: now, record: { lane: mail.lane } };
  switch (fate.kind) {
    case "expired":
      return mailToExpired({ mail, content });
    case "routed": {
      const { relay: _former, signature, ...same } = mail;
      const own =
        fate.route.kind === "relay" ? { relay: fate.route.relay.host } : signature === undefined ? {} : { signature };
      // RabbitMQ may dead-letter what has waited twice, and marks neither.
      const rerouted = { ...same, ...own, lane: fate.lane.name, putBack: true };
      return { ...mailToLane({ mail: rerouted, content }, now), traceparent: mail.head.traceparent };
    }
    case "failed":
      return eventToPublish(tracked, { ...fact, point: "PROCESSING_FAILED", description: fate.reason });
    case "bounce":
      return eventToPublish(tracked, {
        ...fact,
        point: "HARD_BOUNCE",
        description: fate.reason,
        smtp: { reason: `bounced (${fate.reason})`, relay: fate.relay, dsn: NO_ROUTE_ANY_MORE },
      });
  }
}

/** RFC 3463 X.4.4, unable to route: the relay was taken away and its mails with it. */
const NO_ROUTE_ANY_MORE = "5.4.4";

function count(fate: DueFate, { metrics }: DuePorts): void {
  switch (fate.kind) {
    case "routed":
      return metrics.countDue(fate.route.kind);
    case "expired":
      return metrics.countDue("expired");
    case "bounce":
      return metrics.countDue("bounced");
    case "failed":
      if (fate.breaksFailClosed === true) metrics.countFailClosed();
      return metrics.countDue("failed");
  }
}
