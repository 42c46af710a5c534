// Operator contract, Administration API: relays with all their rules, and which way a mail would take.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NewDomain, ProblemAnswer } from "#test/support/administration.ts";
import { newDomain, pathsOf, refusedPut } from "#test/support/administration.ts";
import { issueCertificate } from "#test/support/signing-certificate.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";

let system: System;
beforeAll(async () => {
  system = await startSystem({ services: ["control"] });
});
afterAll(() => system.stop());

const domainOf = (): Promise<NewDomain> => newDomain(system);
const refusalOf = (path: string, body: unknown): Promise<ProblemAnswer> => refusedPut(system, path, body);

describe("relays", () => {
  it("have the defaults of the contract and a lane", async () => {
    const { account, domain, relay } = await domainOf();
    const made = await system.control.put(relay, { host: "Relay.Example.NET" });
    const lane = { depth: 0, inFlight: 0, state: "active" };
    const defaults = { port: 25, senders: [], tls: "opportunistic", maxConnections: 10, enabled: true };
    expect(made).toMatchObject({
      status: 200,
      body: { account, domain, host: "relay.example.net", ...defaults, lane },
    });
    expect((await system.control.get(relay)).body).toEqual(made.body);
    const { body } = await system.control.get<{ items: { domain: string }[] }>("/v1/relays?limit=1000");
    expect(body.items.filter((item) => item.domain === domain)).toEqual([made.body]);
  });

  it("are refused with 404 for a domain that the account does not have", async () => {
    const { account } = await domainOf();
    const path = `/v1/accounts/${account}/domains/other.example/relay`;
    expect(await refusalOf(path, { host: "relay.example.net" })).toMatchObject({ status: 404 });
  });

  it.each([
    "192.0.2.1",
    "0x7f.0.0.1",
    "2130706433",
    "[2001:db8::1]",
    "::1",
    "relay",
    "relay.example.net:25",
    "relay..example.net",
    `${"a".repeat(64)}.example.net`,
    "relay.example.123",
    "",
  ])("are refused for the host %j, which is no FQDN", async (host) => {
    const { relay } = await domainOf();
    expect(await refusalOf(relay, { host })).toMatchObject({ status: 422, errors: [{ path: "host" }] });
  });

  it("take ten senders of their domain, compared without regard to case, and no eleventh", async () => {
    const { domain, relay } = await domainOf();
    const senders = Array.from({ length: 11 }, (_, index) => `Sender${index}@${domain.toUpperCase()}`);
    const ten = await system.control.put<{ senders: string[] }>(relay, {
      host: "relay.example.net",
      senders: senders.slice(1),
    });
    expect(ten.body.senders).toHaveLength(10);
    expect(await refusalOf(relay, { host: "relay.example.net", senders })).toMatchObject({
      status: 422,
      errors: [{ path: "senders" }],
    });
  });

  it("refuse a sender outside of their domain", async () => {
    const { domain, relay } = await domainOf();
    const senders = [`a@${domain}`, "a@other.example", `a@sub.${domain}`, "no address"];
    const problem = await refusalOf(relay, { host: "relay.example.net", senders });
    expect(pathsOf(problem)).toEqual(["senders[1]", "senders[2]", "senders[3]"]);
  });

  it("exclude message signing, whichever comes first", async () => {
    const { domain, path, relay } = await domainOf();
    const signing = await issueCertificate({ address: `sender@${domain}` });
    await system.control.put(relay, { host: "relay.example.net" });
    expect(await refusalOf(path, { messageSigning: true, signing })).toMatchObject({ status: 409 });
    await system.control.delete(relay);
    expect((await system.control.put(path, { messageSigning: true, signing })).status).toBe(200);
    expect(await refusalOf(relay, { host: "relay.example.net" })).toMatchObject({ status: 409 });
  });

  it("exclude message signing also when both are said at once", async () => {
    const { domain, path, relay } = await domainOf();
    const signing = await issueCertificate({ address: `sender@${domain}` });
    const answers = await Promise.all([
      system.control.put(relay, { host: "relay.example.net" }),
      system.control.put(path, { messageSigning: true, signing }),
    ]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
  });

  it("keep their credentials when these are absent, lose them by null, and never show the password", async () => {
    const { relay } = await domainOf();
    const auth = { user: "u", password: "relay-password" };
    const made = await system.control.put(relay, { host: "relay.example.net", auth });
    const kept = await system.control.put(relay, { host: "relay.example.net", port: 587 });
    expect(kept.body).toMatchObject({ port: 587, auth: { user: "u" } });
    const removed = await system.control.put(relay, { host: "relay.example.net", auth: null });
    expect(removed.body["auth"]).toBeUndefined();
    expect(JSON.stringify([made.body, kept.body])).not.toContain("relay-password");
    expect(pathsOf(await refusalOf(relay, { host: "relay.example.net", auth: { user: "u" } }))).toEqual([
      "auth.password",
    ]);
  });

  it.each([
    ["port", 0],
    ["port", 65_536],
    ["port", "25"],
    ["tls", "sometimes"],
    ["maxConnections", 0],
    ["maxConnections", 1.5],
    ["enabled", "yes"],
    ["weight", 1],
  ])("refuse %s %j", async (key, value) => {
    const { relay } = await domainOf();
    expect(pathsOf(await refusalOf(relay, { host: "relay.example.net", [key]: value }))).toEqual([key]);
  });

  it("are held by suspend and freed by resume", async () => {
    const { relay } = await domainOf();
    await system.control.put(relay, { host: "relay.example.net" });
    expect((await system.control.post(`${relay}/suspend`)).body).toMatchObject({ lane: { state: "held" } });
    expect((await system.control.get(relay)).body).toMatchObject({ lane: { state: "held" } });
    expect((await system.control.post(`${relay}/resume`)).body).toMatchObject({ lane: { state: "active" } });
  });

  it("are gone after DELETE, and their domain can go then", async () => {
    const { path, relay } = await domainOf();
    await system.control.put(relay, { host: "relay.example.net" });
    expect((await system.control.delete(path)).status).toBe(409);
    expect((await system.control.delete(relay)).status).toBe(200);
    expect((await system.control.delete(relay)).status).toBe(404);
    expect((await system.control.post(`${relay}/suspend`)).status).toBe(404);
    expect((await system.control.delete(path)).status).toBe(200);
  });
});

describe("explain", () => {
  async function explain(account: string, from: string, to: string) {
    const query = new URLSearchParams({ account, from, to }).toString();
    return (await system.control.get<{ because: string[] }>(`/v1/explain?${query}`)).body;
  }

  it("says which way such a mail would take, and why", async () => {
    const { account, domain, relay } = await domainOf();
    const mx = await explain(account, `a@${domain}`, "b@rcpt.example");
    expect(mx).toMatchObject({ route: { kind: "mx", port: system.mxPort } });
    await system.control.put(relay, { host: "relay.example.net", senders: [`a@${domain}`] });
    const relayed = await explain(account, `A@${domain}`, "b@rcpt.example");
    expect(relayed).toMatchObject({
      route: { kind: "relay", host: "relay.example.net", port: 25, tls: "opportunistic" },
    });
    expect(relayed.because.length).toBeGreaterThan(0);
    expect(await explain(account, `other@${domain}`, "b@rcpt.example")).toMatchObject({ route: { kind: "mx" } });
  });

  it.each([
    ["postmaster@rcpt.example", "FORBIDDEN_RECIPIENT"],
    ["no address", "INVALID_ADDRESS"],
  ])("says that a mail to %s is dropped as %s", async (to, subType) => {
    const { account, domain } = await domainOf();
    expect(await explain(account, `a@${domain}`, to)).toMatchObject({ dropped: { subType } });
  });

  it("refuses a sender whose domain is not the account's", async () => {
    const { account } = await domainOf();
    const answer = await system.control.get(`/v1/explain?account=${account}&from=a@other.example&to=b@rcpt.example`);
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ path: "from" }] } });
  });
});
