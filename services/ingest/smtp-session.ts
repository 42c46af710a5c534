// What happens in an SMTP session: who it is, whether it may send so, and the message handed over to be accepted.
// The answers are values (refusals); smtp-server's callbacks are met in smtp-server.ts alone.
import type { SMTPServerAddress, SMTPServerSession } from "smtp-server";
import type { Clock } from "#shared/clock.ts";
import type { Configuration } from "#shared/routing/configuration.ts";
import type { Confirmable } from "#shared/routing/find-confirmed.ts";
import type { Authenticator } from "./authenticate.ts";
import { addressOfFrom } from "./header-from.ts";
import type { SharedPlaces } from "./large-places.ts";
import { receivedLine } from "./received.ts";
import type { SmtpMessage } from "./smtp-message.ts";
import { collectMessage, readMessage } from "./smtp-message.ts";
import type { Refusal } from "./smtp-refusal.ts";
import { BUSY, refusal, refusalOf, SmtpRefusal } from "./smtp-refusal.ts";
import type { Candidates, SenderResult } from "./smtp-sender.ts";
import { distinctPaths } from "./smtp-path.ts";
import { checkMail, senderOf } from "./smtp-sender.ts";
import { tracedSubmission } from "./smtp-span.ts";
import type { Accept } from "./submission.ts";
import type { Readable } from "node:stream";

export interface SmtpSettings {
  hostname: string;
  /** WAYPOST_SMTP_HEADER_PREFIX. */
  headerPrefixes: readonly string[];
}

export interface SmtpPorts {
  configuration: Confirmable;
  authenticator: Authenticator;
  accept: Accept;
  /** Places for messages above a size (smtp-message.ts), for all sessions. */
  tiers: readonly { above: number; places: SharedPlaces }[];
  clock: Clock;
}

const LOGIN_REFUSALS = {
  wrong: refusal(535, "5.7.8", "wrong account or password"),
  "foreign-address": refusal(535, "5.7.1", "the account does not send from this address"),
  limited: refusal(454, "4.7.0", "too many failed logins, please try again in a minute"),
} as const;
/** Of SIZE, 8BITMIME, SMTPUTF8 and AUTH (RFC 4954 §5). RCPT has none. */
const MAIL_PARAMETERS = ["SIZE", "BODY", "SMTPUTF8", "AUTH"];
const NON_ASCII = /[^\u0020-\u007e]/;

/** The handlers of one listener; each throws SmtpRefusal for what it refuses, or the fault of a backing service. */
export interface SessionHandlers {
  /** The name of the account that logged in. */
  login(name: string, password: string, remoteAddress: string): Promise<string>;
  mail(address: SMTPServerAddress, session: SMTPServerSession): Promise<void>;
  rcpt(address: SMTPServerAddress, session: SMTPServerSession): void;
  /** The text of the 250. */
  data(stream: Readable, session: SMTPServerSession): Promise<string>;
}

export function createSessionHandlers(settings: SmtpSettings, ports: SmtpPorts): SessionHandlers {
  return {
    login: async (account, password, address) => {
      const found = await ports.authenticator.byPassword({ account, password, address });
      if (found.kind === "known") return found.account._id;
      throw new SmtpRefusal(LOGIN_REFUSALS[found.kind]);
    },
    mail: async ({ address, args }, session) => {
      requireKnown(args, MAIL_PARAMETERS);
      requireUtf8(address, session);
      const check = (configuration: Configuration): Refusal | undefined =>
        checkMail(candidatesIn(session, ports, configuration), address);
      // What may have changed a moment ago refuses nobody.
      const found = check(ports.configuration.current()) && check(await ports.configuration.confirmed());
      if (found !== undefined) throw new SmtpRefusal(found);
    },
    rcpt: ({ address, args }, session) => {
      requireKnown(args, []);
      requireUtf8(address, session);
    },
    data: (stream, session) => receive(stream, session, { settings, ports }),
  };
}

/** RFC 5321 §4.1.1.11: a parameter of an extension that is not offered; what it asks for would not be done. */
function requireKnown(parameters: SMTPServerAddress["args"], known: readonly string[]): void {
  const unknown = Object.keys(parameters || {}).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new SmtpRefusal(refusal(555, "5.5.4", `unknown parameter ${unknown.slice(0, 40)}`));
}

/** RFC 6531 §3.4: an address outside ASCII needs SMTPUTF8. */
function requireUtf8(path: string, session: SMTPServerSession): void {
  if (NON_ASCII.test(path) && session.envelope.smtpUtf8 !== true)
    throw new SmtpRefusal(refusal(553, "5.6.7", "an address outside ASCII needs SMTPUTF8"));
}

function candidatesIn(session: SMTPServerSession, ports: SmtpPorts, configuration: Configuration): Candidates {
  const user: unknown = session.user;
  return {
    configuration,
    user: typeof user === "string" ? user : undefined,
    bySource: ports.authenticator.bySourceIp(session.remoteAddress, configuration),
  };
}

interface Context {
  settings: SmtpSettings;
  ports: SmtpPorts;
}

async function receive(stream: Readable, session: SMTPServerSession, context: Context): Promise<string> {
  const user: unknown = session.user;
  const owner = typeof user === "string" ? user : session.remoteAddress;
  const tiers = context.ports.tiers.map(({ above, places }) => ({ above, places: places.of(owner) }));
  const collected = await collectMessage(stream, tiers);
  if (!collected.ok) throw new SmtpRefusal(collected.refusal);
  try {
    const read = readMessage(collected.chunks, context.settings.headerPrefixes);
    if (!read.ok) throw new SmtpRefusal(read.refusal);
    return await tracedSubmission(session, () => submit(read.message, session, context));
  } finally {
    collected.release();
  }
}

/** Under the null reverse-path the one header From is the sender. */
function senderIn(envelopeFrom: string, message: SmtpMessage): string | Refusal {
  if (envelopeFrom !== "") return envelopeFrom;
  const [from, ...others] = message.from;
  const address = from === undefined || others.length > 0 ? undefined : addressOfFrom(from);
  return address ?? refusal(550, "5.7.1", "a null reverse-path needs one address in the header From");
}

async function ownerOf(sender: string, session: SMTPServerSession, ports: SmtpPorts): Promise<SenderResult> {
  const find = (configuration: Configuration): SenderResult =>
    senderOf(candidatesIn(session, ports, configuration), sender);
  const found = find(ports.configuration.current());
  return found.ok ? found : find(await ports.configuration.confirmed());
}

async function submit(message: SmtpMessage, session: SMTPServerSession, context: Context): Promise<string> {
  const { settings, ports } = context;
  const { mailFrom, rcptTo } = session.envelope;
  const envelopeFrom = mailFrom === false ? "" : mailFrom.address;
  const sender = senderIn(envelopeFrom, message);
  if (typeof sender !== "string") throw new SmtpRefusal(sender);
  const owner = await ownerOf(sender, session, ports);
  if (!owner.ok) throw new SmtpRefusal(owner.refusal);
  const { referenceJob, costCenter, campaignId, messageSigning, endpoint } = message.details;
  const acceptance = await ports.accept({
    way: "smtp",
    account: owner.account,
    content: {
      kind: "ready",
      ready: {
        message: message.below(receivedLine(factsOf(session, settings, ports.clock))),
        envelopeFrom,
        sender,
        headerFrom: message.from[0],
        recipients: distinctPaths(rcptTo.map(({ address }) => address)),
        messageId: message.messageId,
        referenceJob,
        costCenter,
        campaignId,
        messageSigning,
        endpoint,
      },
    },
  });
  if (acceptance.kind === "accepted") return `2.0.0 Ok: queued as ${acceptance.jobId}`;
  throw new SmtpRefusal(acceptance.kind === "unavailable" ? BUSY : refusalOf(acceptance.problem));
}

function factsOf(session: SMTPServerSession, settings: SmtpSettings, clock: Clock): Parameters<typeof receivedLine>[0] {
  return {
    helo: session.hostNameAppearsAs,
    remoteAddress: session.remoteAddress,
    hostname: settings.hostname,
    isEsmtp: session.openingCommand === "EHLO",
    isSecure: session.secure,
    isAuthenticated: typeof session.user === "string",
    isSmtpUtf8: session.envelope.smtpUtf8 === true,
    id: `${session.id}.${session.transaction}`,
    at: clock.now(),
  };
}
