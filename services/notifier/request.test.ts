import { expect, it } from "vitest";
import type { BatchMessage } from "#shared/contracts/batch.ts";
import { requestOf } from "./request.ts";

const batch = { batchId: "msg_1", push: {} } as Pick<BatchMessage, "batchId" | "push">;

function headersOf(headers: Record<string, string>): Readonly<Record<string, string>> {
  const list = Object.entries(headers).map(([name, value]) => ({ name, value }));
  const details = { account: "acme", url: "https://e.example/", headers: list, signingSecrets: [] };
  return requestOf(batch, details, { now: new Date(0), trace: {} }).headers;
}

it("carries every header that may be chosen", () => {
  const chosen = { "x-tenant": "blue", "content-language": "de", "user-agent": "Acme", "x-a": "Grüße" };
  expect(headersOf(chosen)).toMatchObject(chosen);
});

it("leaves out what is stored and cannot be sent, and sends the rest", () => {
  const sent = headersOf({ Host: "evil.example", Baggage: "a=b", "X-Kanji": "日本", "X-Tenant": "blue" });
  expect(Object.keys(sent).toSorted()).toEqual(["content-type", "user-agent", "webhook-id", "x-tenant"]);
});
