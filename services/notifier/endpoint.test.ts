import { expect, it } from "vitest";
import { createSealer } from "#shared/secrets.ts";
import { ofAccount } from "./endpoint.ts";

const [former, current] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];

it("sends a secret header's value, sealed under this key or the one before, or stored in clear", () => {
  const headers = [
    { name: "Authorization", value: createSealer(current).seal("Bearer new"), isSealed: true as const },
    { name: "X-Api-Key", value: createSealer(former).seal("old"), isSealed: true as const },
    { name: "X-Token", value: "v1.in.clear" },
  ];
  const settings = { url: "https://hooks.example.com/x", headers };
  expect(ofAccount("acme", settings, createSealer(current, former)).headers).toEqual([
    { name: "Authorization", value: "Bearer new" },
    { name: "X-Api-Key", value: "old" },
    { name: "X-Token", value: "v1.in.clear" },
  ]);
  expect(() => ofAccount("acme", settings, createSealer(current))).toThrow(/WAYPOST_SECRET_KEY/);
});
