// The checks of one recipient, in order: the first that fails drops this recipient and no other (contract, Tracking points).
import type { TrackingPointName } from "#shared/contracts/tracking-point.ts";
import { unquoted } from "#shared/email/quoted-string.ts";
import type { Suppression } from "#shared/store/suppressions.ts";
import { countsAt, suppressionIdOf } from "#shared/store/suppressions.ts";

/** The bare address in what was given, display name apart. */
export interface ReadAddress {
  address: string;
  localPart: string;
}

/** Reads an address as it was given; undefined where it is not valid syntax. */
export type AddressReader = (given: string) => ReadAddress | undefined;

export interface RecipientRules {
  readAddress: AddressReader;
  /** Lower case. */
  forbiddenLocalParts: ReadonlySet<string>;
}

export interface Drop {
  point: Extract<TrackingPointName, "INVALID_ADDRESS" | "FORBIDDEN_RECIPIENT" | "PREVIOUSLY_BOUNCED" | "SUPPRESSED">;
  description: string;
  /** The entry that sending to it renews, and until when. */
  renewal?: { id: string; until: Date };
}

export type CheckedRecipient = { kind: "accepted" } | ({ kind: "dropped" } & Drop);

/** `suppression`: the account's entry for the address, counting or not. */
export function checkRecipient(
  read: ReadAddress | undefined,
  rules: Pick<RecipientRules, "forbiddenLocalParts">,
  listed: { suppression: Suppression | undefined; acceptedMs: number },
): CheckedRecipient {
  if (read === undefined) return drop("INVALID_ADDRESS", "the recipient address is not valid syntax");
  if (isForbidden(read.localPart, rules.forbiddenLocalParts)) {
    return drop("FORBIDDEN_RECIPIENT", `mails to ${read.localPart} are not sent`);
  }
  const { suppression, acceptedMs } = listed;
  if (suppression === undefined || !countsAt(suppression, acceptedMs)) return { kind: "accepted" };
  return { kind: "dropped", ...dropListed(suppression, acceptedMs) };
}

function isForbidden(localPart: string, forbidden: ReadonlySet<string>): boolean {
  return forbidden.has(unquoted(localPart).toLowerCase());
}

function dropListed(entry: Suppression, acceptedMs: number): Drop {
  if (entry.kind === "manual" || entry.bounce === undefined) {
    const why = entry.reason === undefined ? "" : `: ${entry.reason}`;
    return { point: "SUPPRESSED", description: `the recipient is on the suppression list${why}` };
  }
  const { ts, reason } = entry.bounce;
  return {
    point: "PREVIOUSLY_BOUNCED",
    description: `ts="${ts}", reason="${reason}"`,
    ...(entry.termMs === undefined ? {} : { renewal: { id: entry._id, until: new Date(acceptedMs + entry.termMs) } }),
  };
}

function drop(point: Drop["point"], description: string): CheckedRecipient {
  return { kind: "dropped", point, description };
}

/** Of what the suppression list is asked. */
export function suppressionKey(account: string, read: ReadAddress | undefined): string | undefined {
  return read === undefined ? undefined : suppressionIdOf(account, read.address);
}
