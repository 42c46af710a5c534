import { ROOT_CONTEXT } from "@opentelemetry/api";
import { expect, it } from "vitest";
import { contextOf, traceIdOf, traceparentOf } from "./propagate.ts";

const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

it("goes from text to context and back", () => {
  expect(traceparentOf(contextOf(TRACEPARENT))).toBe(TRACEPARENT);
  expect(traceIdOf(TRACEPARENT)).toBe("0af7651916cd43dd8448eb211c80319c");
});

it.each([
  undefined,
  "",
  "00-00000000000000000000000000000000-b7ad6b7169203331-01",
  "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
  "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
  `${TRACEPARENT}\r\nx: y`,
])("takes no context from %j", (text) => {
  expect(contextOf(text)).toBe(ROOT_CONTEXT);
  expect(traceparentOf(contextOf(text))).toBeUndefined();
});
