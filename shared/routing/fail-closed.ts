// The watch over "fail closed": asks the configuration by another way than route() whether a relay stands for the mail.
import type { Configuration } from "./configuration.ts";
import { domainOf } from "#shared/email/domain-name.ts";
import type { Route, RouteQuestion } from "./route.ts";

/** Whether a mail with a relay in use is about to take the MX: must never be; counted where it is found. */
export function isMxForRelayed(found: Route, question: RouteQuestion, configuration: Configuration): boolean {
  if (found.kind !== "mx") return false;
  const relay = configuration.relay(question.account, domainOf(question.sender) ?? "");
  if (relay === undefined || !relay.enabled || relay.removed !== undefined) return false;
  if (relay.senders.length === 0) return true;
  const sender = question.sender.toLowerCase();
  return relay.senders.some((listed) => listed.toLowerCase() === sender);
}
