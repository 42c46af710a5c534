import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { DEFAULT_SMTP_TIMEOUTS } from "#shared/settings-schedules.ts";
import { connectTo } from "./connect.ts";

it("no connection is waited for once the service has stopped", async () => {
  const limits = { timeouts: DEFAULT_SMTP_TIMEOUTS, totalMs: Infinity, deadlineMs: Infinity };
  const bounds = { clock: systemClock, stopping: AbortSignal.abort(), limits };
  const connected = await connectTo({ host: "relay.example.net", address: "127.0.0.1", port: 1 }, bounds);
  expect(connected).toEqual({ ok: false, end: { kind: "abandoned" } });
});

it("a mail whose time is over while it connects is told of by that, not as if the host did not answer", async () => {
  const limits = { timeouts: DEFAULT_SMTP_TIMEOUTS, totalMs: Infinity, deadlineMs: 0 };
  const bounds = { clock: systemClock, stopping: new AbortController().signal, limits };
  const connecting = connectTo({ host: "relay.example.net", address: "127.0.0.1", port: 1 }, bounds);
  // So that the timer is due before the host's answer is read.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  const end = { kind: "local", step: "connect", cause: "deadline", detail: "the mail's time was over" };
  expect(await connecting).toEqual({ ok: false, end });
});
