// Where a mail goes: its route with its lane, or why it goes nowhere. Watches over "fail closed" (design, Routing).
import type { Configuration } from "#shared/routing/configuration.ts";
import type { Lane } from "#shared/routing/lane.ts";
import { laneOf } from "#shared/routing/lane.ts";
import { isMxForRelayed } from "#shared/routing/fail-closed.ts";
import type { Route, RouteQuestion } from "#shared/routing/route.ts";
import { route } from "#shared/routing/route.ts";

export type SendingRoute = Extract<Route, { kind: "relay" | "mx" }>;

export type RouteDecision =
  | { kind: "routed"; route: SendingRoute; lane: Lane }
  | { kind: "bounce"; reason: string; relay: string }
  | { kind: "failed"; reason: string; breaksFailClosed?: true };

export function decideRoute(question: RouteQuestion, configuration: Configuration): RouteDecision {
  const found = route(question, configuration);
  switch (found.kind) {
    case "held-back":
      return { kind: "failed", reason: found.reason };
    case "bounce":
      return { kind: "bounce", reason: found.reason, relay: found.relay.host };
    case "mx":
    case "relay":
      if (isMxForRelayed(found, question, configuration)) {
        return { kind: "failed", reason: "the default route for a relayed mail", breaksFailClosed: true };
      }
      return { kind: "routed", route: found, lane: laneOf(found) };
  }
}
