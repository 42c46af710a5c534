// Data builders for jobs, mails, attempts and the configuration they are routed by.
import type { Attempt, AttemptResult } from "#shared/contracts/attempt.ts";
import { mailIdOf } from "#shared/contracts/ids.ts";
import type { JobHead, JobMessage, MailMessage } from "#shared/contracts/mail.ts";
import { MESSAGE_VERSION } from "#shared/contracts/mail.ts";
import type { Account, Configuration, Relay, SenderDomain } from "#shared/routing/configuration.ts";
import { configurationOf } from "#shared/store/configuration.ts";

export const RECEIVED_TS = "2026-03-01T12:00:00.000Z";
export const DEADLINE = "2026-03-03T12:00:00.000Z";

export function aHead(changes: Partial<JobHead> = {}): JobHead {
  return {
    jobId: "job-1",
    account: "acme",
    customerNo: "4711",
    receivedTs: RECEIVED_TS,
    deadline: DEADLINE,
    envelopeFrom: "news@example.com",
    sender: "news@example.com",
    from: "News <news@example.com>",
    bulk: false,
    ...changes,
  };
}

export interface JobParts {
  head?: Partial<JobHead>;
  addresses?: readonly string[];
  content?: JobMessage["content"];
}

export function aJob({ head, addresses = ["to@example.net"], content }: JobParts = {}): JobMessage {
  return {
    version: MESSAGE_VERSION,
    head: aHead(head),
    entries: [{ headers: "Subject: hello\r\n", messageId: "<1@example.com>", addresses: [...addresses] }],
    content: content ?? { kind: "inline", bytes: 5 },
  };
}

export function aMail(changes: Partial<MailMessage> = {}): MailMessage {
  const head = changes.head ?? aHead();
  return {
    version: MESSAGE_VERSION,
    head,
    mailId: mailIdOf(head.jobId, 0),
    email: "To <to@example.net>",
    recipient: "to@example.net",
    headers: "Subject: hello\r\n",
    content: { kind: "inline", bytes: 5 },
    attempt: 1,
    lane: "delivery.relay.acme.example.com",
    relay: "relay.example.com",
    suspectWaits: 0,
    waitTold: false,
    putBack: false,
    ...changes,
  };
}

export function anAttempt(
  changes: Partial<Omit<Attempt, "result">> & { result?: Partial<AttemptResult> } = {},
): Attempt {
  const { result, ...others } = changes;
  return {
    attempt: 1,
    at: "2026-03-01T12:00:01.000Z",
    durationMs: 20,
    lane: "delivery.relay.acme.example.com",
    relay: "relay.example.com",
    ...others,
    result: {
      status: "deferred",
      origin: "remote",
      blame: "mail",
      step: "rcpt",
      replyCode: 451,
      enhancedStatus: "4.3.0",
      text: "451 4.3.0 try again later",
      host: "relay.example.com",
      address: "127.0.0.9",
      ...result,
    },
  };
}

export function anAccount(changes: Partial<Account> = {}): Account {
  return { _id: "acme", customerNo: "4711", sourceIps: [], limits: { waitingMails: 200_000 }, ...changes };
}

export function aDomain(changes: Partial<SenderDomain> = {}): SenderDomain {
  const { account = "acme", domain = "example.com" } = changes;
  return { _id: `${account}/${domain}`, account, domain, messageSigning: false, ...changes };
}

export function aRelay(changes: Partial<Relay> = {}): Relay {
  const { account = "acme", domain = "example.com" } = changes;
  return {
    _id: `${account}/${domain}`,
    account,
    domain,
    host: "relay.example.com",
    port: 25,
    senders: [],
    tls: "opportunistic",
    maxConnections: 10,
    enabled: true,
    held: false,
    resumedCount: 0,
    ...changes,
  };
}

/** An account `acme` with the domain `example.com`, and what is named beside or instead. */
export function aConfiguration(
  parts: {
    accounts?: readonly Account[];
    domains?: readonly SenderDomain[];
    relays?: readonly Relay[];
  } = {},
): Configuration {
  const { accounts = [anAccount()], domains = [aDomain()], relays = [] } = parts;
  return configurationOf({ accounts, domains, relays });
}
