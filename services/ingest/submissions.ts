// Submissions over the broker (operator contract, Broker contract for applications): a JobRequest from a user that some
// account names, answered to `reply_to`, or parked with the problem where there is nobody to answer.
import { isUtf8 } from "node:buffer";
import { z } from "zod";
import type { Delivery, Outgoing, SingleActor, Verdict } from "#shared/broker/actor.ts";
import { replayedUserOf } from "#shared/broker/replayed-user.ts";
import { QUEUES, SERVICES } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import type { SubmissionReply } from "#shared/contracts/asyncapi.ts";
import { MAX_SUBMISSION_BYTES } from "#shared/contracts/asyncapi.ts";
import { TOO_MANY_VALUES } from "#shared/contracts/job-request.ts";
import type { Problem } from "#shared/contracts/problem.ts";
import { BrokerUnavailable } from "#shared/errors.ts";
import { hasFewValues } from "#shared/json-values.ts";
import type { Account } from "#shared/routing/configuration.ts";
import type { Confirmable } from "#shared/routing/find-confirmed.ts";
import { findConfirmed } from "#shared/routing/find-confirmed.ts";
import type { Sealer } from "#shared/secrets.ts";
import { problemOf } from "./problem.ts";
import type { GivenKey } from "./read-job-request.ts";
import { readJobRequest } from "./read-job-request.ts";
import type { Accept, Acceptance, Submission } from "./submission.ts";

const PREFETCH = 32;
/** A first copy whose process died holds its key for 5 s, or 10 by another clock: a second one waits longer than that. */
const LEASE_TRIES = 12;
const LEASE_WAIT_MS = 1_000;
const STATUS_IN_PROGRESS = 409;
/** In the reason of a dead letter, which is short. */
const PARKED_MISTAKES = 5;
const JSON_TYPE = /^application\/json\s*(;.*)?$/i;

export interface SubmissionPorts {
  accept: Accept;
  configuration: Confirmable;
  sealer: Sealer;
  clock: Clock;
}

/** What is looked at of a delivery. */
export type SubmissionMessage = Pick<Delivery<unknown>, "message" | "content" | "bytes" | "suspect" | "properties">;

type ReadSubmission = { ok: true; submission: Submission } | { ok: false; problem: Problem };

/** The submission of a message by the account whose broker user sent it, or why it is none. */
export async function readSubmission(
  message: SubmissionMessage,
  account: Account | undefined,
  configuration: Confirmable,
): Promise<ReadSubmission> {
  const refuse = (problem: Problem): ReadSubmission => ({ ok: false, problem });
  const { userId, messageId, contentType, replyTo } = message.properties;
  if (userId === undefined) return refuse(problemOf(401, "the property user_id is required"));
  if (account === undefined || account.removedAt !== undefined)
    return refuse(problemOf(401, "user_id is no account's brokerUser"));
  if (isOwnQueue(replyTo)) return refuse(problemOf(403, "reply_to names a queue of Waypost's own"));
  if (message.bytes > MAX_SUBMISSION_BYTES)
    return refuse(problemOf(413, `over ${MAX_SUBMISSION_BYTES} bytes: submit jobs as large as this by REST or SMTP`));
  if (!JSON_TYPE.test(contentType ?? "")) return refuse(problemOf(415, "content-type should be application/json"));
  if (message.message === undefined || !isUtf8(message.content)) return refuse(unread(message.content));
  const read = await readJobRequest(
    { way: "broker", account, body: message.message, key: keyOf(messageId) },
    configuration,
  );
  if (!read.ok) return refuse(problemOf(422, "the submission has mistakes", read.mistakes));
  return { ok: true, submission: { ...read.submission, suspect: message.suspect } };
}

function keyOf(messageId: string | undefined): GivenKey {
  const field = "message_id";
  return messageId === undefined ? { mistake: { path: field, message: "required" } } : { key: messageId, field };
}

/** Why a body was not read as JSON. */
function unread(body: Buffer): Problem {
  if (hasFewValues(body)) return problemOf(400, "the body is no JSON in UTF-8");
  return problemOf(422, "the submission has mistakes", [TOO_MANY_VALUES]);
}

/** Queues that only Waypost may put messages in; direct reply-to and a client's own are none of them. */
export function isOwnQueue(name: string | undefined): boolean {
  if (name === undefined) return false;
  const owners = [...SERVICES.map((service) => `${service}.`), "waypost."];
  return name === QUEUES.deadLetters || name === "waypost" || owners.some((owner) => name.startsWith(owner));
}

function replyTo(message: SubmissionMessage, body: SubmissionReply): Outgoing | undefined {
  const { replyTo: queue, correlationId } = message.properties;
  if (queue === undefined || isOwnQueue(queue)) return undefined;
  return { exchange: "", routingKey: queue, type: "", body, correlationId, transient: true };
}

/** How a submission's message is settled, by what became of it. */
export function settle(message: SubmissionMessage, outcome: { jobId: string } | { problem: Problem }): Verdict {
  const isAccepted = "jobId" in outcome;
  const reply = replyTo(message, isAccepted ? { jobId: outcome.jobId } : { error: outcome.problem });
  if (reply !== undefined) return { kind: "done", publish: [reply] };
  return isAccepted ? { kind: "done", publish: [] } : { kind: "park", reason: reasonOf(outcome.problem) };
}

function reasonOf(problem: Problem): string {
  const { errors } = problem;
  return JSON.stringify(errors === undefined ? problem : { ...problem, errors: errors.slice(0, PARKED_MISTAKES) });
}

/** Accepts; a submission whose first copy is still in progress waits for it, or for the end of its lease. */
async function acceptOnce(submission: Submission, { accept, clock }: SubmissionPorts): Promise<Acceptance> {
  let acceptance = await accept(submission);
  for (let tries = 1; tries < LEASE_TRIES && isInProgress(acceptance); tries += 1) {
    await clock.sleep(LEASE_WAIT_MS);
    acceptance = await accept({ ...submission, suspect: true });
  }
  return acceptance;
}

function isInProgress(acceptance: Acceptance): boolean {
  return acceptance.kind === "refused" && acceptance.problem.status === STATUS_IN_PROGRESS;
}

async function accountOf({ configuration }: SubmissionPorts, user: string | undefined): Promise<Account | undefined> {
  if (user === undefined) return undefined;
  return findConfirmed(configuration, (current) => current.accountOfBrokerUser(user));
}

export function createSubmissionsActor(ports: SubmissionPorts): SingleActor<unknown> {
  return {
    mailbox: QUEUES.submissions,
    contracts: { "": z.unknown() },
    prefetch: PREFETCH,
    handle: async (delivery) => {
      const userId = delivery.properties.userId ?? replayedUserOf(delivery.headers, ports.sealer);
      const properties = userId === undefined ? delivery.properties : { ...delivery.properties, userId };
      const account = await accountOf(ports, userId);
      const read = await readSubmission({ ...delivery, properties }, account, ports.configuration);
      if (!read.ok) return settle(delivery, { problem: read.problem });
      const acceptance = await acceptOnce(read.submission, ports);
      if (acceptance.kind === "unavailable") throw new BrokerUnavailable(acceptance.reason);
      return settle(delivery, acceptance.kind === "accepted" ? acceptance : { problem: acceptance.problem });
    },
  };
}
