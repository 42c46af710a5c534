import { pino } from "pino";
import { expect, it } from "vitest";
import { notifyTier } from "./broker/topology.ts";
import { declareTiers } from "./declare-tiers.ts";
import { BrokerUnavailable } from "./errors.ts";

it("a broker that is lost while a service starts fails no start, and each tier is asked for", async () => {
  const asked: string[] = [];
  const broker = {
    declareTier: async (tier: { queue: { name: string } }) => {
      asked.push(tier.queue.name);
      throw new BrokerUnavailable("the connection was closed");
    },
  };
  const tiers = [notifyTier(1_000), notifyTier(2_000)];
  await declareTiers({ broker, log: pino({ level: "silent" }) }, tiers);
  expect(asked).toEqual(tiers.map(({ queue }) => queue.name));
});
