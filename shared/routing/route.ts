// Which way a mail takes and why: one pure function with the rules of the contract's *The Relay Service* as its branches.
// Asked by the router, by delivery at the start of each attempt, and by control's `explain`.
// Fail closed: whatever is wrong with a relay or its configuration, the answer is never the default route.
import type { Account, Configuration, Relay, SenderDomain, TlsMode } from "./configuration.ts";
import { comparableAddress } from "#shared/email/comparable-address.ts";
import { domainOf } from "#shared/email/domain-name.ts";
import { relayLaneName } from "./lane.ts";

export interface RouteQuestion {
  account: string;
  /** The envelope sender; under a null reverse-path the header From. A bare address. */
  sender: string;
  /** RCPT TO: a bare address. */
  recipient: string;
  /** Where the mail waits already: what a relay's removal with `?waiting=bounce` looks at. */
  queued?: { lane: string; receivedTs: string };
}

export type Route =
  | { kind: "relay"; relay: Relay; tls: TlsMode; sourceIp?: string; because: string[] }
  /** `domain`: the recipient's, as A-labels. */
  | { kind: "mx"; domain: string; sourceIp?: string; because: string[] }
  /** The relay was removed with `?waiting=bounce` while this mail waited for it. */
  | { kind: "bounce"; relay: Relay; reason: string; because: string[] }
  /** Data that routing needs is missing or contradicts itself: the mail is not sent at all. */
  | { kind: "held-back"; reason: string; because: string[] };

interface Ground {
  question: RouteQuestion;
  account: Account;
  senderDomain: string;
  domain: SenderDomain | undefined;
  /** What the account has configured for the sender's domain, in use or not. */
  relay: Relay | undefined;
}

export function route(question: RouteQuestion, configuration: Configuration): Route {
  const account = configuration.account(question.account);
  if (account === undefined) return heldBack(`there is no account ${question.account}`);
  const senderDomain = domainOf(question.sender);
  if (senderDomain === undefined) return heldBack(`the sender ${JSON.stringify(question.sender)} has no domain`);
  return decide({
    question,
    account,
    senderDomain,
    domain: configuration.domain(account._id, senderDomain),
    relay: configuration.relay(account._id, senderDomain),
  });
}

/** Relay Service 1 to 8; the numbers are the contract's. */
function decide(ground: Ground): Route {
  const { relay, senderDomain, account } = ground;
  // 1, 3: a relay belongs to one account and one sender domain; without one, the MX of the recipient's domain.
  if (relay === undefined) {
    return toMx(ground, [`account ${account._id} has no relay for the sender domain ${senderDomain}`]);
  }
  if (relay.removed !== undefined || !relay.enabled) return withoutRelay(ground, relay);
  // 6: when there are sender addresses, only they take the relay.
  const isListed = isSenderListed(relay, ground.question.sender);
  if (relay.senders.length > 0 && !isListed) {
    return toMx(ground, [
      `account ${account._id} has a relay for ${senderDomain}, ${relay.host}, for ${count(relay.senders.length, "sender address", "sender addresses")} only`,
      `${ground.question.sender} is none of them`,
    ]);
  }
  // 5: a relay and message signing exclude each other; data that says both is not to be trusted either way.
  if (ground.domain?.messageSigning === true) {
    return heldBack(`${senderDomain} has a relay and message signing, which exclude each other`);
  }
  // 4: a relay without a name cannot be connected to, and its mails go nowhere else.
  if (relay.host === "") return heldBack(`the relay of ${senderDomain} has no host`);
  return toRelay(ground, relay);
}

/** 2 and 8: the relay in place of the recipient domain's MX, from the account's own address where it has one. */
function toRelay({ account, senderDomain, question }: Ground, relay: Relay): Route {
  const because = [
    `account ${account._id} has the relay ${relay.host}:${relay.port} for the sender domain ${senderDomain}`,
    relay.senders.length > 0
      ? `${question.sender} is one of its sender addresses`
      : "it lists no sender addresses, so every sender of the domain takes it",
    `the MX of ${domainOf(question.recipient) ?? "the recipient"} is not looked up`,
    ...(relay.held ? ["an operator has suspended the relay: mails wait for it"] : []),
    ...sourceReason(account),
  ];
  return { kind: "relay", relay, tls: relay.tls, ...sourceOf(account), because };
}

/** Removed or disabled: the default route, or the end of what waited, as the operator said. */
function withoutRelay(ground: Ground, relay: Relay): Route {
  const { removed } = relay;
  const gone = removed !== undefined && relay.enabled ? "removed" : "disabled";
  const since = removed === undefined ? "" : ` since ${removed.at.toISOString()}`;
  const because = [`the relay ${relay.host} of ${ground.senderDomain} is ${gone}${since}`];
  if (removed?.waiting !== "bounce" || !waitedFor(relay, removed.at, ground.question)) return toMx(ground, because);
  const reason = `the relay ${relay.host} was ${gone} and its waiting mails were to bounce`;
  return { kind: "bounce", relay, reason, because: [...because, "mails that waited for it are to bounce"] };
}

function waitedFor(relay: Relay, removedAt: Date, { queued }: RouteQuestion): boolean {
  if (queued === undefined || queued.lane !== relayLaneName(relay.account, relay.domain)) return false;
  return Date.parse(queued.receivedTs) <= removedAt.getTime();
}

function toMx({ account, question }: Ground, because: string[]): Route {
  const domain = domainOf(question.recipient);
  if (domain === undefined) return heldBack(`the recipient ${JSON.stringify(question.recipient)} has no domain`);
  return {
    kind: "mx",
    domain,
    ...sourceOf(account),
    because: [...because, `so the default route: the MX of ${domain}`, ...sourceReason(account)],
  };
}

function heldBack(reason: string): Route {
  return {
    kind: "held-back",
    reason,
    because: [reason, "so the mail is not sent: never by another way than configured"],
  };
}

function isSenderListed(relay: Relay, sender: string): boolean {
  const wanted = comparableAddress(sender);
  return relay.senders.some((listed) => comparableAddress(listed) === wanted);
}

function sourceOf(account: Account): { sourceIp?: string } {
  return account.dedicatedIp === undefined ? {} : { sourceIp: account.dedicatedIp };
}

function sourceReason(account: Account): string[] {
  return account.dedicatedIp === undefined ? [] : [`the account's dedicated IP is ${account.dedicatedIp}`];
}

function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`;
}
