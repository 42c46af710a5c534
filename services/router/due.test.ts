import { describe, expect, it } from "vitest";
import type { Delivery, Outgoing } from "#shared/broker/actor.ts";
import { systemClock } from "#shared/clock.ts";
import type { MailMessage } from "#shared/contracts/mail.ts";
import type { Configuration } from "#shared/routing/configuration.ts";
import { aConfiguration, aMail, aRelay, DEADLINE } from "#test/support/build-mail.ts";
import type { DuePorts } from "./due.ts";
import { createDueActor, decideDue } from "./due.ts";

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

/** What becomes of a due mail by a configuration that is known, and one that is asked for. */
async function handled(known: Configuration, confirmed = known): Promise<Outgoing | undefined> {
  const ports = {
    configuration: { current: () => known, confirmed: async () => confirmed },
    newLanes: { list: async () => undefined, whenMade: () => undefined },
    clock: { ...systemClock, now: () => new Date(now) },
    metrics: { countDue: () => undefined },
    signer: { sign: async (fates: unknown) => fates },
  } as unknown as DuePorts;
  const delivery = { message: aMail(), content: Buffer.alloc(5), suspect: false } as Delivery<MailMessage>;
  const [verdict] = await createDueActor(ports, { prefetch: 1, batch: 1 }).handleBatch([delivery]);
  return verdict?.kind === "done" ? verdict.publish[0] : undefined;
}

it("does not end a mail whose account was made a moment ago", async () => {
  const unknown = aConfiguration({ accounts: [] });
  const known = aConfiguration({ relays: [aRelay()] });
  expect(await handled(unknown, known)).toMatchObject({ exchange: "waypost.mails" });
  expect(await handled(known, unknown)).toMatchObject({ exchange: "waypost.mails" });
  expect(await handled(unknown, unknown)).toMatchObject({ exchange: "waypost.events" });
});

it("has a mail that has waited claimed before its attempt: the broker may pass it on twice", async () => {
  const configuration = aConfiguration({ relays: [aRelay()] });
  expect(await handled(configuration)).toMatchObject({ type: "mail", body: { putBack: true } });
});
