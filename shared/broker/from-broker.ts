// What the broker itself says of a message that it dead-lettered (reference, broker traps).
import type { Delivery } from "./actor.ts";

/**
 * Whether the broker dead-lettered a message itself. An application that has written x-death keeps RabbitMQ 3.x from adding
 * x-first-death-…, so x-death alone tells it; what we publish has neither.
 */
export function isFromBroker(headers: Delivery<unknown>["headers"]): boolean {
  return Object.hasOwn(headers, "x-death") || Object.hasOwn(headers, "x-first-death-queue");
}
