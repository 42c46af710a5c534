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
