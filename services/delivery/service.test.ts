import { pino } from "pino";
import { expect, it, vi } from "vitest";
import { BrokerUnavailable } from "#shared/errors.ts";
import type { ServiceContext } from "#shared/service-definition.ts";
import { service } from "./service.ts";
import { startDelivery } from "./start-delivery.ts";

vi.mock("./start-delivery.ts", () => ({ startDelivery: vi.fn<typeof startDelivery>() }));

it("starts when the broker is lost in that moment", async () => {
  const broker = { declareTier: () => Promise.reject(new BrokerUnavailable("the connection was closed")) };
  const context = { broker, log: pino({ level: "silent" }) } as unknown as ServiceContext<"delivery">;
  await service.start(context);
  expect(startDelivery).toHaveBeenCalledOnce();
});
