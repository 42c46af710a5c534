// How much the mails of a job are together, without the content that they share: what the router makes of it at once.
import type { JobMessage } from "./mail.ts";

/** What the head says, and each address, travels with the mail and with its first two points, each alone and in a pack. */
const TIMES_WITH_MAIL = 5;

/** In characters; what is long is ASCII. */
export function sizeOfMails({ head, entries }: Pick<JobMessage, "head" | "entries">): number {
  const { from, mimeFrom = "", endpoint = "" } = head;
  const ofHead = from.length + mimeFrom.length + endpoint.length;
  return entries.reduce((sum, { headers, messageId = "", reference = "", addresses }) => {
    const ofEntry = ofHead + messageId.length + reference.length;
    const told = addresses.reduce((length, address) => length + address.length, addresses.length * ofEntry);
    return sum + addresses.length * headers.length + TIMES_WITH_MAIL * told;
  }, 0);
}
