import { expect, it } from "vitest";
import type { Relay } from "#shared/routing/configuration.ts";
import type { Lane } from "#shared/routing/lane.ts";
import { aConfiguration, aRelay } from "#test/support/build-mail.ts";
import type { LaneFate } from "./lane-sweep.ts";
import { fateOfLane, KEPT_UNUSED_MS } from "./lane-sweep.ts";

const now = new Date("2026-03-10T12:00:00.000Z");
const ago = (ms: number): Date => new Date(now.getTime() - ms);
const lane: Lane = { kind: "relay", name: "delivery.relay.acme.example.com", account: "acme", domain: "example.com" };
const removed = aRelay({ removed: { at: ago(1_000), waiting: "reroute" } });

it.each<[string, Relay | undefined, Date | undefined, LaneFate]>([
  ["in use", aRelay(), undefined, "keep"],
  ["disabled", aRelay({ enabled: false }), undefined, "keep"],
  ["in use again", aRelay(), ago(1_000), "mark-used"],
  ["just removed", removed, undefined, "mark-unused"],
  ["no longer there", undefined, undefined, "mark-unused"],
  ["removed a while ago", removed, ago(KEPT_UNUSED_MS), "keep"],
  ["removed longer ago than the longest deadline", removed, ago(KEPT_UNUSED_MS + 1), "delete"],
  ["gone longer ago than the longest deadline", undefined, ago(KEPT_UNUSED_MS + 1), "delete"],
])("the lane of a relay that is %s", (_, relay, unusedSince, fate) => {
  const listed = { lane, ...(unusedSince === undefined ? {} : { unusedSince }) };
  expect(fateOfLane(listed, aConfiguration({ relays: relay === undefined ? [] : [relay] }), now)).toBe(fate);
});

it("a lane of the default route stays", () => {
  const mx = { lane: { kind: "mx", name: "delivery.mx.1", shard: 1 } as const };
  expect(fateOfLane(mx, aConfiguration(), now)).toBe("keep");
});
