// A message that kills whoever takes it comes back so often and no more; then it is a dead letter, whatever the broker's version.
import { expect, it } from "vitest";
import { DELIVERY_LIMIT, EXCHANGES, laneMailboxes, QUEUES } from "#shared/broker/topology.ts";
import { eventually } from "#test/support/eventually.ts";
import { collectDeadLetters, numberedContracts, startRuntime, toDue } from "#test/support/runtime.ts";

it("dead-letters it from a mailbox, and from a lane by way of the retry-scheduler's mailbox", async () => {
  const { broker, another } = await startRuntime();
  const { letters } = collectDeadLetters(broker);
  const { interactive } = laneMailboxes("delivery.relay.acme.example.com");
  await broker.declare([interactive]);
  await broker.publish([
    toDue(1),
    { exchange: EXCHANGES.mails, routingKey: interactive.name, type: "mail", body: { version: 1, n: 2 } },
  ]);
  broker.start({
    mailbox: QUEUES.attempts,
    contracts: numberedContracts,
    prefetch: 1,
    handle: async () => ({ kind: "done", publish: [] }),
  });

  for (let death = 0; death <= DELIVERY_LIMIT && letters.length < 2; death += 1) {
    const victim = another();
    let taken = 0;
    const handle = (): Promise<never> => {
      taken += 1;
      return new Promise(() => undefined);
    };
    victim.start({ mailbox: QUEUES.due, contracts: numberedContracts, prefetch: 1, handle });
    const actor = { mailbox: interactive.name, contracts: numberedContracts, prefetch: 1, handle };
    await victim.startPaused(actor, interactive).resume(1);
    await eventually(() => taken === 2 || letters.length === 2);
    await victim.close(0);
  }

  await eventually(() => letters.length === 2);
  expect(letters.find(({ queue }) => queue === QUEUES.due)).toMatchObject({ reason: "delivery_limit", type: "mail" });
  expect(letters.find(({ queue }) => queue === QUEUES.attempts)).toMatchObject({
    reason: `delivery limit reached in ${interactive.name}`,
    type: "mail",
  });
});
