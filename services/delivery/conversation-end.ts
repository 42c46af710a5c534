// Translates what SMTPConnection and sockets throw into how an attempt ended: each error code in one place.
import type { SmtpStep } from "#shared/contracts/attempt.ts";
import { parseReply } from "#shared/email/reply.ts";
import type { AttemptEnd, LocalCause } from "#shared/life/outcome.ts";
import type { Transcript } from "./transcript.ts";

interface ConversationError extends Error {
  code?: string;
  originalCode?: string;
  response?: string | false;
  command?: string;
}

/** How a text names the peer: `relay.example.net[192.0.2.1]:25`. */
export interface Peer {
  host: string;
  address: string;
  port: number;
}

export const nameOf = ({ host, address, port }: Peer): string => `${host}[${address}]:${port}`;

const CONNECT_CAUSES: Readonly<Record<string, LocalCause>> = {
  ECONNREFUSED: "connect-refused",
  ETIMEDOUT: "connect-timeout",
  EADDRNOTAVAIL: "source-address-missing",
  // Taken, and reset before we saw that it was: the same as a drop before the greeting.
  ECONNRESET: "dropped",
};

/** A socket that could not be connected. */
export function endOfConnect(error: unknown, peer: Peer): AttemptEnd {
  const { code = "EFAIL" } = error instanceof Error ? (error as ConversationError) : {};
  const cause = CONNECT_CAUSES[code] ?? "connect-failed";
  return { kind: "local", step: "connect", cause, detail: `connect to ${nameOf(peer)}: ${code}` };
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS_CERT|HOSTNAME_MISMATCH|DANE/;

function tlsEnd(error: ConversationError, peer: Peer): AttemptEnd {
  const code = error.originalCode ?? error.code ?? "";
  const cause = CERTIFICATE.test(code) ? "tls-certificate" : "tls-failed";
  const detail = `TLS with ${nameOf(peer)} failed: ${code === "" ? error.message : code}`;
  return { kind: "local", step: "starttls", cause, detail };
}

function commandStep(error: ConversationError, transcript: Transcript): SmtpStep {
  const command = error.command ?? "";
  if (command === "MAIL FROM") return "mail";
  if (command === "RCPT TO") return "rcpt";
  if (command === "DATA") return error.code === "EMESSAGE" ? "dot" : "data";
  return transcript.lastAnswered;
}

/** An end that no reply tells of. */
export function conclude(step: SmtpStep, cause: LocalCause, detail: string): AttemptEnd {
  return { kind: "local", step, cause, detail };
}

function answered(step: SmtpStep, response: string, peer: Peer): AttemptEnd {
  const reply = parseReply(response);
  if (reply !== undefined) return { kind: "reply", step, reply };
  return conclude(step, "garbage", `${nameOf(peer)} answered what is no SMTP reply (${step})`);
}

/** With PIPELINING the reason stands in an earlier reply of the same transaction, whatever became of those after it. */
export function refusalOf({ refusals }: Transcript, peer: Peer): AttemptEnd | undefined {
  const [refused] = refusals;
  return refused === undefined ? undefined : answered(refused[0], refused[1], peer);
}

/** A conversation that failed. `isUpgrading`: in the middle of a TLS handshake. */
export function endOfConversation(
  thrown: unknown,
  context: { transcript: Transcript; peer: Peer; isUpgrading: boolean },
): AttemptEnd {
  const { transcript, peer, isUpgrading } = context;
  const error: ConversationError = thrown instanceof Error ? thrown : new Error(String(thrown));
  const response = typeof error.response === "string" ? error.response : undefined;
  if (isUpgrading) return tlsEnd(error, peer);
  if (transcript.wasUnasked) {
    return conclude(transcript.brokeAt, "garbage", `${nameOf(peer)} said what nobody had asked for`);
  }
  if (response !== undefined) return answered(commandStep(error, transcript), response, peer);
  const refused = refusalOf(transcript, peer);
  if (refused !== undefined) return refused;
  if (error.code === "ETLS") return tlsEnd(error, peer);
  const step = transcript.brokeAt;
  if (error.code === "EPROTOCOL")
    return conclude(step, "reply-too-large", `${nameOf(peer)} sent an endless reply (${step})`);
  return conclude(step, "dropped", `${nameOf(peer)} closed the connection (${step})`);
}
