import { expect, it } from "vitest";
import { aConfiguration, aRelay, anAccount } from "#test/support/build-mail.ts";
import { CLOSED, onFault } from "./breaker.ts";
import type { LaneGround } from "./lane-plan.ts";
import { planLane } from "./lane-plan.ts";

const RELAY = aRelay();
const NOW = 1_000_000;
const lane = { kind: "relay", name: "delivery.relay.x", account: RELAY.account, domain: RELAY.domain } as const;

const ground = (relay = RELAY, changes: Partial<LaneGround> = {}, account = {}): LaneGround => ({
  lane,
  configuration: aConfiguration({ accounts: [anAccount({ _id: relay.account, ...account })], relays: [relay] }),
  breaker: CLOSED,
  connections: 10,
  isLocal: () => false,
  nowMs: NOW,
  ...changes,
});

let suspended = CLOSED;
for (let fault = 0; fault < 5; fault += 1) suspended = onFault(suspended, { reason: "refused" }, NOW);

it("is open for about twice the connections", () => {
  expect(planLane(ground())).toEqual({ kind: "open", prefetch: 22 });
});

it("is closed while the breaker is open, until the next probe is due", () => {
  const closed = { kind: "closed", state: "suspended", cause: "breaker", reason: "refused", untilMs: NOW + 1000 };
  expect(planLane(ground(RELAY, { breaker: suspended }))).toEqual(closed);
  expect(planLane(ground(RELAY, { breaker: suspended, nowMs: NOW + 1000 }))).toEqual({ kind: "probe" });
});

it("probes though the clock was set back by hours since the breaker opened", () => {
  expect(planLane(ground(RELAY, { breaker: suspended, nowMs: NOW - 7_200_000 }))).toEqual({ kind: "probe" });
});

it("is held by the operator, whatever the breaker says", () => {
  expect(planLane(ground({ ...RELAY, held: true }, { breaker: suspended }))).toMatchObject({ state: "held" });
});

it("is closed where this machine lacks the dedicated IP", () => {
  const without = planLane(ground(RELAY, {}, { dedicatedIp: "192.0.2.9" }));
  expect(without).toMatchObject({ kind: "closed", cause: "address" });
  expect(planLane(ground(RELAY, { isLocal: () => true }, { dedicatedIp: "192.0.2.9" }))).toMatchObject({
    kind: "open",
  });
});

it("of a dedicated IP that no account has any more is open everywhere, so that its mails are routed again", () => {
  const ofIp = { kind: "mx-ip", name: "delivery.mx.ip.192.0.2.9", address: "192.0.2.9" } as const;
  const without = ground(RELAY, { lane: ofIp }, { dedicatedIp: "192.0.2.9" });
  expect(planLane(without)).toMatchObject({ kind: "closed", cause: "address" });
  expect(planLane(ground(RELAY, { lane: ofIp }, { dedicatedIp: "192.0.2.10" }))).toMatchObject({ kind: "open" });
});

it("forwards what is in it once the relay is not in use, suspended, held or not", () => {
  for (const relay of [
    { ...RELAY, enabled: false, held: true },
    { ...RELAY, removed: { at: new Date(NOW), waiting: "reroute" as const } },
  ]) {
    expect(planLane(ground(relay, { breaker: suspended }))).toMatchObject({ kind: "open", forwarder: true });
  }
});
