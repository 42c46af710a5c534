// Flags that say two things, or half of one, are refused before anything is asked.
import { Command } from "commander";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Client } from "../client.ts";
import { Misuse } from "../client.ts";
import type { Verbs } from "../context.ts";
import { addAccountVerbs } from "./account.ts";
import { addMailVerbs } from "./mail.ts";
import { addRecipientVerbs } from "./recipient.ts";
import { addRelayVerbs } from "./relay.ts";
import { addSimulateVerb } from "./simulate.ts";

let asked: unknown[];
let said: string;
let answer: unknown;

const client: Client = {
  get: async (...call) => (asked.push(["GET", ...call]), answer),
  put: async (...call) => (asked.push(["PUT", ...call]), answer),
  post: async (...call) => (asked.push(["POST", ...call]), answer),
  delete: async (...call) => (asked.push(["DELETE", ...call]), answer),
};

async function waypost(...args: string[]): Promise<void> {
  const program = new Command().exitOverride();
  const output = { write: (text: string) => void (said += `${text}\n`), isJson: false };
  const system = { controlUrl: "http://127.0.0.1:1", adminToken: "token" };
  const verbs: Verbs = { program, run: (work) => work({ client, system, output }) };
  for (const add of [addAccountVerbs, addMailVerbs, addRecipientVerbs, addRelayVerbs]) add(verbs);
  addSimulateVerb(verbs, () => output);
  await program.parseAsync(args, { from: "user" });
}

beforeEach(() => {
  asked = [];
  said = "";
  answer = {};
});
afterEach(() => vi.unstubAllEnvs());

const SET = ["account", "set", "acme", "--customer-no", "1"];

it.each([
  [["dead", "replay", "--account", "acme", "--id", "1"]],
  [["dead", "replay", "letter", "--account", "acme"]],
  [["dead", "replay", "letter", "--id", "1"]],
  [["suppression", "remove", "acme", ".."]],
  [[...SET, "--notification-user", "u", "--notification-password", "p"]],
  [[...SET, "--notification-header", "X-Key=1"]],
  [[...SET, "--signing-secret", "whsec_x"]],
  [[...SET, "--notification-url", "https://hooks.example.com", "--notification-password", "p"]],
  [["relay", "set", "acme", "acme.example", "relay.example.net", "--password", "p"]],
  [["send", "--url", "http://127.0.0.1:1", "--account", "a", "--password", "p", "job.json", "--to", "a@b.example"]],
])("refuses %j", async (args) => {
  await expect(waypost(...args)).rejects.toBeInstanceOf(Misuse);
  expect(asked).toEqual([]);
});

it.each(["X-Key", "=1"])("takes no header of an endpoint without a name and a value: %s", async (header) => {
  const set = [...SET, "--notification-url", "https://hooks.example.com", "--notification-header", header];
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  await expect(waypost(...set)).rejects.toMatchObject({ code: "commander.invalidArgument" });
  expect(asked).toEqual([]);
});

it("sets an endpoint with its headers, whose values may hold an equals sign", async () => {
  const header = ["--notification-header", "X-Key=a=b", "--notification-header", "X-Other=1"];
  await waypost(...SET, "--notification-url", "https://hooks.example.com", ...header);
  const notification = { url: "https://hooks.example.com", headers: { "X-Key": "a=b", "X-Other": "1" } };
  expect(asked).toEqual([["PUT", "/v1/accounts/acme", { customerNo: "1", notification }]]);
});

it("lists a relay that is switched off as such, whatever its lane does", async () => {
  const lane = { state: "active", depth: 0, inFlight: 0 };
  const relay = { account: "acme", domain: "acme.example", host: "relay.example.net", port: 25, tls: "never" };
  answer = { items: [{ ...relay, enabled: false, lane }] };
  await waypost("relay", "list");
  expect(said).toContain("disabled");
  expect(said).not.toContain("active");
});

it("says which setting keeps a simulation from being made", async () => {
  vi.stubEnv("WAYPOST_RETRY_SCHEDULE", "soon");
  await expect(waypost("simulate", "250")).rejects.toThrow(/^WAYPOST_RETRY_SCHEDULE is "soon": it should be durations/);
  await expect(waypost("simulate", "250")).rejects.toBeInstanceOf(Misuse);
});

it("simulates with any size of a POST that a service takes", async () => {
  vi.stubEnv("WAYPOST_NOTIFY_BATCH", "1000000");
  await waypost("simulate", "250", "--at", "2026-08-01T00:00:00Z");
  expect(said).toContain("1 attempts");
});
