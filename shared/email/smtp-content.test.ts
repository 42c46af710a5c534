import { expect, it } from "vitest";
import type { Attempt } from "#shared/contracts/attempt.ts";
import { smtpContentOf } from "./smtp-content.ts";

const attemptWith = (result: Partial<Attempt["result"]>, relay?: string): Attempt => ({
  attempt: 1,
  at: "2026-01-01T00:00:00.000Z",
  durationMs: 5,
  lane: "delivery.relay.acme.example.com",
  ...(relay === undefined ? {} : { relay }),
  result: { status: "accepted", origin: "remote", blame: "mail", enhancedStatus: "2.0.0", text: "250 ok", ...result },
});

it("tells the acceptance of a relay as the contract's example does", () => {
  const text = "250 2.0.0 Ok: queued as 3yFnZW2mNlzPk9y";
  expect(smtpContentOf(attemptWith({ replyCode: 250, text }, "your.target.relay"))).toEqual({
    responseCode: "250",
    reason: `sent (${text})`,
    relay: "your.target.relay",
    dsn: "2.0.0",
  });
});

it("names host and address of who refused, and no relay on the default route", () => {
  const content = smtpContentOf(
    attemptWith({
      status: "bounced",
      replyCode: 550,
      enhancedStatus: "5.2.0",
      text: "550 5.2.0 mailbox unavailable",
      host: "mx.example.net",
      address: "192.0.2.39",
      tls: { requested: true, established: true, protocol: "TLS1.3", cipherSuite: "TLS_AES_256_GCM_SHA384" },
    }),
  );
  expect(content).toEqual({
    responseCode: "550",
    reason: "bounced (host mx.example.net[192.0.2.39] said: 550 5.2.0 mailbox unavailable)",
    dsn: "5.2.0",
    transportEncryption: {
      requested: true,
      established: true,
      properties: { protocol: "TLS1.3", cipherSuite: "TLS_AES_256_GCM_SHA384" },
    },
  });
});

it("has no reply code where we concluded it ourselves", () => {
  const local = attemptWith({ status: "deferred", origin: "local", enhancedStatus: "4.4.1", text: "refused" });
  expect(smtpContentOf(local, "bounced")).toEqual({ reason: "bounced (refused)", dsn: "4.4.1" });
});
