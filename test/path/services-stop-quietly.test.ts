// SIGTERM (operator contract, Processes): what is in hand is finished, and no service complains of what it closes itself.
import { expect, it, onTestFinished } from "vitest";
import { SERVICES } from "#shared/broker/topology.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import { startSystem } from "#test/support/system.ts";

it("finishes the POST in hand, exits 0 and warns of nothing", async () => {
  const system = await startSystem();
  const relay = await startMailServer();
  const endpoint = await startEndpoint(() => ({ delayMs: 1_000 }));
  onTestFinished(async () => {
    await Promise.all([relay.close(), endpoint.close()]);
    await system.stop();
  });
  const account = await system.account({ notification: { url: endpoint.url } });
  await system.relay(account, relay);
  await system.accept(account, jobOf(account, [`${uniqueLabel("to")}@recipient.example`]));
  await eventually(() => endpoint.requests.length > 0);
  const exits = SERVICES.map((service) => {
    system.process(service).signal("SIGTERM");
    return system.process(service).exited;
  });
  for (const { code } of await Promise.all(exits)) expect(code).toBe(0);
  for (const service of SERVICES) {
    const logs = system.logs(service);
    const stopping = logs.findIndex(({ event }) => event === "service.stopping");
    expect(logs.slice(stopping).filter(({ level }) => level !== "info")).toEqual([]);
  }
  expect(system.logs("notifier")).toContainEqual(
    expect.objectContaining({ event: "notification.posted", status: 200 }),
  );
});
