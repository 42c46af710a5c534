import { expect, it } from "vitest";
import { createTurns } from "./turns.ts";

it("does one thing at a time, in order, and goes on after one that fails", async () => {
  const inTurn = createTurns();
  const steps: string[] = [];
  const work = (name: string, failure?: Error) => async (): Promise<string> => {
    steps.push(`${name} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    steps.push(`${name} ends`);
    if (failure !== undefined) throw failure;
    return name;
  };
  const failure = new Error("no");
  const results = await Promise.allSettled([inTurn(work("a")), inTurn(work("b", failure)), inTurn(work("c"))]);
  expect(steps).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
  expect(results).toEqual([
    { status: "fulfilled", value: "a" },
    { status: "rejected", reason: failure },
    { status: "fulfilled", value: "c" },
  ]);
});
