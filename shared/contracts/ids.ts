// Derived ids (design, Rules of the actor runtime 3): handling a message twice gives the same ids.
import { hash } from "node:crypto";
import type { TrackingPointName } from "./tracking-point.ts";
import { TRACKING_POINTS } from "./tracking-point.ts";

function digest(...parts: readonly (string | number)[]): string {
  return hash("sha256", parts.join("\n"), "hex");
}

/** Id of the mail to the address with this index (from 0, over to, cc and bcc of all entries of its job). */
export function mailIdOf(jobId: string, addressIndex: number): string {
  return digest("mail", jobId, addressIndex).slice(0, 32);
}

/** The receiver's idempotency key (contract, Push notification): of a FINISHED point from the mail and that word alone. */
export function tagOf(mailId: string, point: TrackingPointName, attempt: number): string {
  const { state, type } = TRACKING_POINTS[point];
  return state === "FINISHED" ? digest("tag", mailId, "FINISHED") : digest("tag", mailId, type, attempt);
}
