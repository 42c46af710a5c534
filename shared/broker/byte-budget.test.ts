import { expect, it } from "vitest";
import { ByteBudget } from "./byte-budget.ts";

it("is over above its limit, and relieves once at three quarters of it", () => {
  const budget = new ByteBudget(100);
  let relieved = 0;
  budget.add(100);
  expect(budget.isOver).toBe(false);
  budget.add(1);
  expect(budget.isOver).toBe(true);
  budget.whenRelieved(() => (relieved += 1));
  budget.remove(25);
  expect(relieved).toBe(0);
  budget.remove(1);
  budget.remove(1);
  expect(relieved).toBe(1);
});
