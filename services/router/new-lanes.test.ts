import { pino } from "pino";
import { expect, it } from "vitest";
import type { Lane } from "#shared/routing/lane.ts";
import { NewLanes } from "./new-lanes.ts";

const laneNamed = (name: string): Lane => ({ kind: "relay", name, account: "acme", domain: `${name}.example` });

function newLanes(declare: () => Promise<void>): NewLanes {
  const seen = new Set<string>();
  const ensure = async ({ name }: Lane): Promise<boolean> => !seen.has(name) && seen.add(name).has(name);
  const log = pino({ level: "silent" });
  return new NewLanes({ lanes: { ensure }, broker: { declare, publish: async () => undefined }, log });
}

it("lets only the mails of a new lane wait for its mailboxes", async () => {
  const declared = Promise.withResolvers<void>();
  const lanes = newLanes(() => declared.promise);
  await lanes.list([laneNamed("new"), laneNamed("new")]);
  const waiting = lanes.whenMade([laneNamed("old"), laneNamed("new")]);
  expect(waiting).toBeInstanceOf(Promise);
  expect(lanes.whenMade([laneNamed("old")])).toBeUndefined();
  declared.resolve();
  await waiting;
  expect(lanes.whenMade([laneNamed("new")])).toBeUndefined();
});

it("lets the mails go where a mailbox cannot be declared", async () => {
  const lanes = newLanes(() => Promise.reject(new Error("the broker is away")));
  await lanes.list([laneNamed("new")]);
  await lanes.whenMade([laneNamed("new")]);
  expect(lanes.whenMade([laneNamed("new")])).toBeUndefined();
});
