// A service that does nothing of its own: from `router.due` to `retry-scheduler.attempts`, as slowly as a message says.
// What every service has by the runtime and by runService is tested with it, as a real process.
import { z } from "zod";
import { EXCHANGES, QUEUES, ROUTING_KEYS } from "#shared/broker/topology.ts";
import { runService } from "#shared/service.ts";

const messageSchema = z.object({ version: z.literal(1), n: z.int(), holdMs: z.number().optional() });

await runService({
  name: "retry-scheduler",
  ports: () => [],
  start: async ({ broker, clock }) => {
    broker.start({
      mailbox: QUEUES.due,
      contracts: { mail: messageSchema },
      prefetch: 10,
      handle: async ({ message }) => {
        if (message.n < 0) void Promise.reject(new Error("nobody waits for this"));
        await clock.sleep(message.holdMs ?? 0);
        return {
          kind: "done",
          publish: [{ exchange: EXCHANGES.attempts, routingKey: ROUTING_KEYS.deferred, type: "mail", body: message }],
        };
      },
    });
    return { stop: async () => undefined };
  },
});
