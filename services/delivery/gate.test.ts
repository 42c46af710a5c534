import { expect, it, vi } from "vitest";
import type { Admission } from "./gate.ts";
import { Gate } from "./gate.ts";

function entering(gate: Gate, urgency: "interactive" | "bulk", name: string, log: string[]): void {
  void gate.enter(urgency).then((admission: Admission) => log.push(`${name} ${admission}`));
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("lets so many in at once, interactive ones first", async () => {
  const gate = new Gate(() => 1);
  const log: string[] = [];
  entering(gate, "bulk", "b1", log);
  entering(gate, "bulk", "b2", log);
  entering(gate, "interactive", "i1", log);
  await settled();
  expect(log).toEqual(["b1 go"]);
  gate.leave();
  await settled();
  gate.leave();
  await settled();
  expect(log).toEqual(["b1 go", "i1 go", "b2 go"]);
});

it("does not starve bulk", async () => {
  const gate = new Gate(() => 1);
  const log: string[] = [];
  entering(gate, "interactive", "first", log);
  entering(gate, "bulk", "bulk", log);
  for (let n = 0; n < 30; n += 1) entering(gate, "interactive", `i${n}`, log);
  for (let n = 0; n < 12; n += 1) gate.leave();
  await settled();
  expect(log).toContain("bulk go");
});

it("sends back who waits, and lets more in when there is more room", async () => {
  let capacity = 1;
  const gate = new Gate(() => capacity);
  const log: string[] = [];
  for (const name of ["a", "b"]) entering(gate, "interactive", name, log);
  gate.sendBack();
  await settled();
  expect(log).toEqual(["a go", "b put-back"]);
  entering(gate, "interactive", "c", log);
  capacity = 2;
  gate.admit();
  await settled();
  expect(log.at(-1)).toBe("c go");
  expect(gate.inFlight).toBe(2);
});

it("sends back who has lost patience, and only then", async () => {
  vi.useFakeTimers();
  const gate = new Gate(() => 1);
  await gate.enter("interactive", 1_000);
  const waiting = gate.enter("interactive", 1_000);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await waiting).toBe("put-back");
  gate.leave();
  expect(gate.inFlight).toBe(0);
  vi.useRealTimers();
});
