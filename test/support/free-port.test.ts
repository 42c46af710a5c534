import { expect, it } from "vitest";
import { freePort } from "#deploy/local/ports.ts";

it("gives no port twice before whoever got it has had time to listen", async () => {
  const ports: number[] = [];
  for (let count = 0; count < 400; count += 1) ports.push(await freePort());
  expect(new Set(ports).size).toBe(ports.length);
});
