// How long a hard bounce keeps its recipient on the suppression list (contract, Suppression list).
// | status        | from the MX of the recipient | from a relay, in reply to RCPT |
// | 5.1.1, 5.1.6  | 45 days (unknown mailbox)    | 45 days                        |
// | 5.1.2, 5.1.3, 5.1.10 | 7 days                | 7 days                         |
// | 5.2.2         | 1 day (mailbox full)         | not at all                     |
// | any other     | 7 days                       | not at all                     |
import type { Attempt } from "#shared/contracts/attempt.ts";

const DAY_MS = 24 * 3_600_000;
const UNKNOWN_MAILBOX_MS = 45 * DAY_MS;
const OTHER_PERMANENT_MS = 7 * DAY_MS;
const MAILBOX_FULL_MS = DAY_MS;

const UNKNOWN_MAILBOX = new Set(["5.1.1", "5.1.6"]);
const MAILBOX_FULL = new Set(["5.2.2"]);
/** What a relay says of the recipient rather than of the message or itself: bad destinations. */
const BAD_DESTINATION = new Set(["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"]);

/** The term in ms, or undefined where the bounce says nothing of the recipient. */
export function suppressionTermOf({ relay, result }: Pick<Attempt, "relay" | "result">): number | undefined {
  const status = result.enhancedStatus;
  if (relay !== undefined && !(result.origin === "remote" && result.step === "rcpt" && BAD_DESTINATION.has(status))) {
    return undefined;
  }
  if (UNKNOWN_MAILBOX.has(status)) return UNKNOWN_MAILBOX_MS;
  return MAILBOX_FULL.has(status) ? MAILBOX_FULL_MS : OTHER_PERMANENT_MS;
}
