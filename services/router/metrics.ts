// What the router counts.
import { metrics } from "@opentelemetry/api";
import { METRICS } from "#shared/telemetry/names.ts";
import type { MailFate } from "./split.ts";

export interface RouterMetrics {
  countFate(fate: MailFate): void;
  /** A due mail that was routed again. */
  countDue(to: "relay" | "mx" | "expired" | "bounced" | "failed"): void;
  /** Must stay 0. */
  countFailClosed(): void;
  /** A job whose mails were not sent because they could not be signed. */
  countUnsigned(): void;
}

export function createRouterMetrics(): RouterMetrics {
  const meter = metrics.getMeter("waypost");
  const routed = meter.createCounter(METRICS.routedMails, {
    description: "Mails that were split off a job or routed again",
  });
  const failClosed = meter.createCounter(METRICS.failClosed, {
    description: "Relayed mails that were about to take the MX: must be 0",
  });
  const unsigned = meter.createCounter(METRICS.unsigned, {
    description: "Jobs whose mails were not sent because they could not be signed",
  });
  failClosed.add(0);
  unsigned.add(0);
  return {
    countFate: (fate) => {
      if (fate.kind === "failed" && fate.breaksFailClosed === true) failClosed.add(1);
      routed.add(1, { fate: labelOf(fate) });
    },
    countDue: (to) => routed.add(1, { fate: to, due: true }),
    countUnsigned: () => unsigned.add(1),
    countFailClosed: () => failClosed.add(1),
  };
}

function labelOf(fate: MailFate): string {
  if (fate.kind === "routed") return fate.route.kind;
  return fate.kind === "dropped" ? fate.point.toLowerCase() : "failed";
}
