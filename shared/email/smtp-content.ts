// How an attempt is told to the customer: `content.smtp` of a notification (contract, Push notification).
import type { Attempt, AttemptResult } from "#shared/contracts/attempt.ts";
import type { SmtpContent } from "#shared/contracts/push-notification.ts";

const VERBS = { accepted: "sent", deferred: "deferred", bounced: "bounced" } as const;

/** `sent (250 2.0.0 Ok)`, `bounced (host mx.example.net[192.0.2.39] said: 550 5.2.0 mailbox unavailable)`. */
export function reasonOf(result: AttemptResult, status: AttemptResult["status"] = result.status): string {
  if (result.status === "accepted") return `sent (${result.text})`;
  return `${VERBS[status]} (${sourceOf(result)}${result.text})`;
}

function sourceOf({ origin, host, address }: AttemptResult): string {
  if (origin === "local" || host === undefined) return "";
  return `host ${host}${address === undefined ? "" : `[${address}]`} said: `;
}

function encryptionOf({ tls }: AttemptResult): Pick<SmtpContent, "transportEncryption"> {
  if (tls === undefined) return {};
  const { requested, established, protocol, cipherSuite } = tls;
  const properties = {
    ...(protocol === undefined ? {} : { protocol }),
    ...(cipherSuite === undefined ? {} : { cipherSuite }),
  };
  const hasProperties = Object.keys(properties).length > 0;
  return { transportEncryption: { requested, established, ...(hasProperties ? { properties } : {}) } };
}

/** `status`: how the mail ends, where that is not how the attempt did (a deferral that was the last one bounces). */
export function smtpContentOf(attempt: Attempt, status: AttemptResult["status"] = attempt.result.status): SmtpContent {
  const { result } = attempt;
  return {
    ...(result.replyCode === undefined ? {} : { responseCode: String(result.replyCode) }),
    reason: reasonOf(result, status),
    ...(attempt.relay === undefined ? {} : { relay: attempt.relay }),
    dsn: result.enhancedStatus,
    ...encryptionOf(result),
  };
}
