// Questions to a service with their answers, and telling everybody who listens.
import { expect, it } from "vitest";
import { z } from "zod";
import { commandsQueueOf, EXCHANGES, QUEUES } from "#shared/broker/topology.ts";
import { eventually } from "#test/support/eventually.ts";
import { startRuntime, toDue } from "#test/support/runtime.ts";

it("asks a service and gets its reply", async () => {
  const { broker, another } = await startRuntime();
  another().start({
    mailbox: commandsQueueOf("router"),
    contracts: { command: z.object({ question: z.string() }) },
    prefetch: 5,
    handle: async ({ message, properties }) => ({
      kind: "done",
      publish: [
        {
          exchange: "",
          routingKey: properties.replyTo ?? "",
          type: "reply",
          body: { answer: message.question.toUpperCase() },
          correlationId: properties.correlationId,
          transient: true,
        },
      ],
    }),
  });
  const replies = await Promise.all(["a", "b", "c"].map((question) => broker.request("router", { question }, 5_000)));
  expect(replies).toEqual([{ answer: "A" }, { answer: "B" }, { answer: "C" }]);
});

it("says so when a service does not answer in time", async () => {
  const { broker } = await startRuntime();
  await expect(broker.request("router", {}, 200)).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
});

it("gives a reply up that breaks the connection each time, and publishes all else that goes over it", async () => {
  const { broker } = await startRuntime();
  const nobody = { exchange: "", routingKey: "amq.rabbitmq.reply-to.x.y", type: "", body: {}, transient: true };
  await Promise.all([broker.publish([nobody]), broker.publish([toDue(1)])]);
  await broker.publish([toDue(2)]);
  expect(await broker.depth(QUEUES.due)).toBeGreaterThanOrEqual(2);
});

it("tells all who listen to an exchange, and nobody who was away", async () => {
  const { broker, another } = await startRuntime();
  const other = another();
  await eventually(() => other.ready);
  const heard: string[] = [];
  const contracts = { "relay-health": z.object({ replica: z.string() }) };
  const say = (replica: string) =>
    broker.publish([
      { exchange: EXCHANGES.relayHealth, routingKey: "", type: "relay-health", body: { replica }, transient: true },
    ]);
  await say("nobody");
  broker.listen(EXCHANGES.relayHealth, contracts, ({ replica }) => heard.push(`1 ${replica}`));
  other.listen(EXCHANGES.relayHealth, contracts, ({ replica }) => heard.push(`2 ${replica}`));
  await eventually(async () => {
    await say("one");
    return heard.includes("1 one") && heard.includes("2 one");
  });
  expect(heard.some((line) => line.endsWith("nobody"))).toBe(false);
});
