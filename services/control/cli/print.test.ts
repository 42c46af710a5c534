import { expect, it } from "vitest";
import { pointLine, table, visible } from "./print.ts";

it("shows what a terminal would obey", () => {
  expect(visible("a\u001b[2J\u009b31m\r\u007f\u202eb")).toBe("a\\u001b[2J\\u009b31m\\u000d\\u007f\\u202eb");
  expect(visible("line\n\ttabbed, Grüße, 名")).toBe("line\n\ttabbed, Grüße, 名");
});

it("leaves JSON what it means", () => {
  const answer = { reason: 'a\u009b\\\u202e"\u001b' };
  expect(JSON.parse(visible(JSON.stringify(answer)))).toEqual(answer);
});

it("keeps every row of a table on its line", () => {
  const rows = [{ id: "1", reason: "unknown key\nforged" }];
  expect(table(rows, ["id", "reason"], "")).toBe("ID  REASON\n1   unknown key forged");
});

it("shows a list of any length", () => {
  const rows = Array.from({ length: 150_000 }, (_, index) => ({ email: `${index}@example.net` }));
  expect(table(rows, ["email"], "").split("\n")).toHaveLength(150_001);
});

it("shows a tracking point with what the server said", () => {
  const event = { ts: "2026-08-01T00:00:00.000Z", type: "DELIVERED", subType: "OK", description: "mail delivered" };
  const content = { smtp: { reason: "sent (250 ok)", relay: "relay.example", dsn: "2.0.0" } };
  expect(pointLine({ meta: { event }, content })).toBe(
    "  2026-08-01T00:00:00.000Z  DELIVERED/OK  mail delivered  via relay.example  [2.0.0]  sent (250 ok)",
  );
});
