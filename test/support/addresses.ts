// Loopback addresses and names of a test's own: each scripted server stands on its own 127.x.y.z.
import { randomBytes, randomInt } from "node:crypto";

/** An address that no other test of this run uses. */
export function loopbackAddress(): string {
  return `127.${randomInt(1, 254)}.${randomInt(0, 255)}.${randomInt(2, 254)}`;
}

/** A name that the scripted DNS resolves to the address by its spelling alone: `127-1-2-3.relay.test`. */
export function nameOf(address: string, suffix = "relay.test"): string {
  return `${address.replaceAll(".", "-")}.${suffix}`;
}

/** A short label of a test's own. */
export function uniqueLabel(prefix: string): string {
  return `${prefix}-${randomBytes(5).toString("hex")}`;
}
