import { describe, expect, it } from "vitest";
import { aConfiguration, aMail, aRelay, DEADLINE } from "#test/support/build-mail.ts";
import { decideDue } from "./due.ts";

const now = new Date("2026-03-01T13:00:00.000Z");

describe("a due mail", () => {
  it("goes back to its lane while its route is the same", () => {
    expect(decideDue(aMail(), aConfiguration({ relays: [aRelay()] }), now)).toMatchObject({
      kind: "routed",
      lane: { name: "delivery.relay.acme.example.com" },
    });
  });

  it("goes to another lane when the configuration says so now", () => {
    expect(decideDue(aMail(), aConfiguration({ relays: [aRelay({ enabled: false })] }), now)).toMatchObject({
      kind: "routed",
      lane: { kind: "mx" },
    });
    expect(decideDue(aMail({ lane: "delivery.mx.3" }), aConfiguration({ relays: [aRelay()] }), now)).toMatchObject({
      kind: "routed",
      lane: { kind: "relay" },
    });
  });

  it("bounces when its relay was removed so", () => {
    const removed = { at: now, waiting: "bounce" as const };
    expect(decideDue(aMail(), aConfiguration({ relays: [aRelay({ removed })] }), now)).toMatchObject({
      kind: "bounce",
      relay: "relay.example.com",
    });
  });

  it("past its deadline goes to its end, whatever its route", () => {
    expect(decideDue(aMail(), aConfiguration(), new Date(DEADLINE))).toEqual({ kind: "expired" });
  });

  it("of an account that is gone fails", () => {
    expect(decideDue(aMail(), aConfiguration({ accounts: [] }), now)).toMatchObject({ kind: "failed" });
  });
});
