// No input of the administration API causes a fault: whatever is sent is taken or refused, and a refusal names the field.
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newDomain } from "#test/support/administration.ts";
import type { NewDomain, ProblemAnswer } from "#test/support/administration.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";

let system: System;
let named: NewDomain;
beforeAll(async () => {
  system = await startSystem({ services: ["control"] });
  named = await newDomain(system);
});
afterAll(() => system.stop());

const RUNS = { numRuns: 150 };
const EXPECTED = [200, 404, 409, 422];

const odd = fc.oneof(
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  fc.constantFrom("__proto__", "constructor", "$where", "a.b", "", "\0", "a\r\nb", "x".repeat(10_000), null, -1, 1e308),
  fc.ipV4(),
  fc.domain(),
  fc.emailAddress(),
  fc.webUrl(),
);

const bodyOf = (...keys: string[]): fc.Arbitrary<object> =>
  fc
    .tuple(fc.dictionary(fc.constantFrom(...keys), odd), fc.dictionary(fc.string(), odd, { maxKeys: 2 }))
    .map(([known, unknown]) => ({ ...known, ...unknown }));

/** Any text but the dot segments, which a client resolves before it asks: they never reach the server (URL Standard, 4.4). */
const segment = fc.string({ minLength: 1 }).filter((text) => text !== "." && text !== "..");

/** What is wrong with the answer to a PUT; nothing when it was taken, or refused with every field named. */
async function complaint(path: string, body: unknown): Promise<string> {
  const answer = await system.control.put<ProblemAnswer>(path, body);
  if (!EXPECTED.includes(answer.status)) return `${answer.status} ${JSON.stringify(answer.body)}`;
  if (answer.status !== 422) return "";
  const { errors = [] } = answer.body;
  const isNamed = errors.length > 0 && errors.every(({ path: field, message }) => field !== "" && message !== "");
  return isNamed ? "" : JSON.stringify(answer.body);
}

it("takes or refuses any account", async () => {
  const keys = ["customerNo", "tenant", "password", "sourceIps", "dedicatedIp", "brokerUser", "notification", "limits"];
  await fc.assert(
    fc.asyncProperty(bodyOf(...keys), async (body) => {
      expect(await complaint("/v1/accounts/fuzz", body)).toBe("");
    }),
    RUNS,
  );
});

it("takes or refuses any domain", async () => {
  await fc.assert(
    fc.asyncProperty(bodyOf("messageSigning", "signing"), fc.oneof(fc.domain(), segment), async (body, domain) => {
      expect(await complaint(`/v1/accounts/${named.account}/domains/${encodeURIComponent(domain)}`, body)).toBe("");
    }),
    RUNS,
  );
});

it("takes or refuses any relay", async () => {
  const keys = ["host", "port", "senders", "tls", "auth", "maxConnections", "enabled"];
  await fc.assert(
    fc.asyncProperty(bodyOf(...keys), async (body) => {
      expect(await complaint(named.relay, body)).toBe("");
    }),
    RUNS,
  );
});

it("answers any search and any explanation", async () => {
  const keys = [
    "account",
    "recipient",
    "sender",
    "state",
    "route",
    "queueId",
    "since",
    "until",
    "cursor",
    "limit",
    "from",
    "to",
  ];
  const query = fc.dictionary(
    fc.constantFrom(...keys),
    fc.oneof(fc.string(), fc.emailAddress(), fc.constant(named?.account ?? "a")),
  );
  await fc.assert(
    fc.asyncProperty(
      query,
      fc.constantFrom("mails", "explain", "audit", "relays", "accounts", "dead-letters"),
      async (fields, list) => {
        const { status } = await system.control.get(`/v1/${list}?${new URLSearchParams(fields).toString()}`);
        expect(EXPECTED).toContain(status);
      },
    ),
    RUNS,
  );
});

it("takes or refuses any bytes as a body", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const headers = { authorization: `Bearer ${system.plan.adminToken}`, "content-type": "application/json" };
      const answer = await fetch(`${system.controlUrl}${named.relay}`, { method: "PUT", headers, body: bytes });
      expect([400, 422]).toContain(answer.status);
    }),
    RUNS,
  );
});
