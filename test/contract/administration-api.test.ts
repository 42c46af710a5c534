// Operator contract, Administration API: the calls of its table, against a real control service.
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NewDomain, ProblemAnswer } from "#test/support/administration.ts";
import { newDomain, pathsOf, refusedPut } from "#test/support/administration.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import { issueCertificate } from "#test/support/signing-certificate.ts";
import type { Json } from "#test/support/control-client.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";

let system: System;
beforeAll(async () => {
  system = await startSystem({ services: ["control"] });
});
afterAll(() => system.stop());

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const domainOf = (): Promise<NewDomain> => newDomain(system);
const refusalOf = (path: string, body: unknown): Promise<ProblemAnswer> => refusedPut(system, path, body);

describe("authorization", () => {
  it.each([undefined, "Bearer wrong", "Basic dG9rZW4=", "Bearer "])("answers 401 to %s", async (authorization) => {
    const headers = authorization === undefined ? {} : { authorization };
    const answer = await fetch(`${system.controlUrl}/v1/accounts`, { headers });
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
    expect(await answer.json()).toMatchObject({ status: 401, title: "Unauthorized" });
  });

  it.each(["/%761/accounts", "/v%31/accounts", "/v1/accounts/?limit=1", "http://waypost.example/v1/accounts"])(
    "answers 401 however the path is written: %s",
    async (path) => {
      const { hostname, port } = new URL(system.controlUrl);
      const [answer] = (await once(request({ hostname, port, path }).end(), "response")) as [IncomingMessage];
      answer.resume();
      expect(answer.statusCode).toBe(401);
    },
  );

  it("answers 401 before it reads anything, also for paths that are none", async () => {
    expect((await fetch(`${system.controlUrl}/v1/nothing`, { method: "PUT", body: "{" })).status).toBe(401);
  });
});

describe("errors", () => {
  it("are 400 for what is no JSON, 415 for what is not said to be, 413 for what is too large", async () => {
    const send = async (body: string, type: string): Promise<number> => {
      const headers = { authorization: `Bearer ${system.plan.adminToken}`, "content-type": type };
      const answer = await fetch(`${system.controlUrl}/v1/accounts/acme`, { method: "PUT", headers, body });
      return answer.status;
    };
    expect(await send('{"customerNo":', "application/json")).toBe(400);
    expect(await send("\xff", "application/json")).toBe(400);
    expect(await send("customerNo=1", "application/x-www-form-urlencoded")).toBe(415);
    expect(await send(JSON.stringify("a".repeat(1_000_000)), "application/json")).toBe(413);
  });

  it("name what is missing where there is no body, in a call that needs one", async () => {
    expect(pathsOf(await refusalOf("/v1/accounts/bodiless", undefined))).toEqual(["customerNo"]);
    const { account, domain } = await domainOf();
    expect((await system.control.put(`/v1/accounts/${account}/domains/${domain}`, undefined)).status).toBe(200);
  });

  it("are 404 for whatever is unknown", async () => {
    const { account, domain } = await domainOf();
    for (const path of [
      "/v1/accounts/nobody",
      "/v1/accounts/nobody/domains",
      `/v1/accounts/${account}/domains/other.example`,
      `/v1/accounts/${account}/domains/no%20domain`,
      `/v1/accounts/${account}/domains/${domain}/relay`,
      `/v1/accounts/${account}/domains/${domain}/dkim`,
      `/v1/accounts/${account}/endpoint`,
      "/v1/accounts/nobody/suppressions",
      "/v1/jobs/none",
      "/v1/mails/none",
      `/v1/mails/${"a".repeat(8_000)}`,
      "/v1/explain?account=nobody&from=a@b.example&to=c@d.example",
      "/v1/nothing",
    ]) {
      expect([path, (await system.control.get(path)).status]).toEqual([path, 404]);
    }
    expect((await system.control.post("/v1/dead-letters/none/replay")).status).toBe(404);
  });

  it("name every mistake with its dotted path, and the whole body as a dot", async () => {
    const problem = await refusalOf("/v1/accounts/acme", {
      customerNo: "",
      sourceIps: ["192.0.2.0/24", "192.0.2.1/33"],
      notification: { url: "nowhere", signingSecret: "whsec_short" },
      limits: { waitingMails: -1 },
      colour: "red",
    });
    expect(pathsOf(problem).toSorted()).toEqual([
      "colour",
      "customerNo",
      "limits.waitingMails",
      "notification.signingSecret",
      "notification.url",
      "sourceIps[1]",
    ]);
    expect(pathsOf(await refusalOf("/v1/accounts/acme", []))).toEqual(["."]);
    expect(pathsOf(await refusalOf("/v1/accounts/acme", null))).toEqual(["."]);
  });

  it("are 405 with Allow for a method that a path does not have", async () => {
    const headers = { authorization: `Bearer ${system.plan.adminToken}`, "content-type": "text/plain" };
    const send = async (method: string, path: string): Promise<[number, string | null, string | null]> => {
      const answer = await fetch(`${system.controlUrl}${path}`, { method, headers });
      return [answer.status, answer.headers.get("allow"), answer.headers.get("content-type")];
    };
    const problem = expect.stringContaining("application/problem+json") as string;
    expect(await send("PATCH", "/v1/accounts/acme")).toEqual([405, "DELETE, GET, HEAD, PUT", problem]);
    expect(await send("POST", "/v1/accounts")).toEqual([405, "GET, HEAD", problem]);
    expect(await send("GET", "/v1/notifications/dead/replay")).toEqual([405, "POST", problem]);
    expect(await send("DELETE", "/openapi.json")).toEqual([405, "GET, HEAD", problem]);
  });

  it.each(["accounts", "relays", "mails", "audit", "dead-letters", "notifications/dead"])(
    "are 422 for a cursor that is none of %s",
    async (list) => {
      for (const cursor of ["nonsense", "", "YWZ0ZXIg!", Buffer.from("after").toString("base64url")]) {
        const answer = await system.control.get<ProblemAnswer>(`/v1/${list}?cursor=${cursor}`);
        expect([cursor, answer.status, pathsOf(answer.body)]).toEqual([cursor, 422, ["cursor"]]);
      }
    },
  );
});

describe("accounts", () => {
  it.each(["Acme", "-acme", "ac_me", "a".repeat(64), "a.b"])("cannot be named %s", async (name) => {
    expect(pathsOf(await refusalOf(`/v1/accounts/${name}`, { customerNo: "1" }))).toEqual(["account"]);
  });

  it("are created or replaced by the same PUT, which may be repeated", async () => {
    const name = uniqueLabel("put");
    const body = { customerNo: "7", password: "pw", dedicatedIp: "2001:DB8::1" };
    const first = await system.control.put(`/v1/accounts/${name}`, body);
    expect(await system.control.put(`/v1/accounts/${name}`, body)).toMatchObject({ status: 200, body: first.body });
    expect(first.body).toMatchObject({ account: name, hasPassword: true, dedicatedIp: "2001:db8::1" });
    expect(first.body["limits"]).toEqual({ waitingMails: 200_000 });
    const entries = await system.control.get<{ items: unknown[] }>(`/v1/audit?account=${name}`);
    expect(entries.body.items).toHaveLength(1);
  });

  it("keep a secret that is absent, lose one that is null, and never show one", async () => {
    const name = uniqueLabel("secrets");
    const notification = {
      url: "https://hooks.example.com/",
      authentication: { method: "BASIC", user: "u", password: "endpoint-password" },
      signingSecret: SECRET,
    };
    await system.control.put(`/v1/accounts/${name}`, { customerNo: "1", password: "very-secret", notification });
    const kept = await system.control.put(`/v1/accounts/${name}`, {
      customerNo: "1",
      notification: { url: notification.url },
    });
    expect(kept.body).toMatchObject({
      hasPassword: true,
      notification: { hasSigningSecret: true, authentication: { method: "BASIC", user: "u" } },
    });
    const removed = await system.control.put(`/v1/accounts/${name}`, {
      customerNo: "1",
      password: null,
      notification: { url: notification.url, authentication: null, signingSecret: null },
    });
    expect(removed.body).toMatchObject({ hasPassword: false, notification: { hasSigningSecret: false } });
    const everything = JSON.stringify([kept.body, removed.body, (await system.control.get("/v1/audit")).body]);
    for (const secret of ["very-secret", "endpoint-password", SECRET]) expect(everything).not.toContain(secret);
  });

  it("have a broker user of their own", async () => {
    const [one, two, user] = [uniqueLabel("one"), uniqueLabel("two"), uniqueLabel("user")];
    await system.control.put(`/v1/accounts/${one}`, { customerNo: "1", brokerUser: user });
    expect(await refusalOf(`/v1/accounts/${two}`, { customerNo: "1", brokerUser: user })).toMatchObject({
      status: 409,
    });
    expect((await system.control.put(`/v1/accounts/${one}`, { customerNo: "1", brokerUser: user })).status).toBe(200);
  });

  it("are listed by name, page by page", async () => {
    const names = [uniqueLabel("list"), uniqueLabel("list"), uniqueLabel("list")];
    for (const name of names) await system.control.put(`/v1/accounts/${name}`, { customerNo: "1" });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const query = cursor === undefined ? "" : `&cursor=${cursor}`;
      const page = await system.control.get<{ items: { account: string }[]; cursor?: string }>(
        `/v1/accounts?limit=2${query}`,
      );
      expect(page.body.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.body.items.map(({ account }) => account));
      cursor = page.body.cursor;
    } while (cursor !== undefined);
    expect(seen).toEqual(seen.toSorted());
    expect(seen).toEqual(expect.arrayContaining(names));
  });

  it("stay while they are removed, with their name taken", async () => {
    const { account } = await domainOf();
    expect((await system.control.delete(`/v1/accounts/${account}`)).body).toMatchObject({
      state: "leaving",
      waiting: 0,
    });
    expect((await system.control.delete(`/v1/accounts/${account}`)).status).toBe(200);
    expect(await refusalOf(`/v1/accounts/${account}`, { customerNo: "1" })).toMatchObject({ status: 409 });
    expect((await system.control.get(`/v1/accounts/${account}`)).body).toMatchObject({ state: "leaving" });
  });
});

describe("domains", () => {
  it("are known by their A-labels", async () => {
    const { account } = await domainOf();
    const answer = await system.control.put(
      `/v1/accounts/${account}/domains/${encodeURIComponent("MÜNCHEN.example")}`,
      {},
    );
    expect(answer).toMatchObject({ status: 200, body: { domain: "xn--mnchen-3ya.example", messageSigning: false } });
    const path = `/v1/accounts/${account}/domains/${encodeURIComponent("münchen.example")}`;
    expect((await system.control.get(path)).status).toBe(200);
    expect((await system.control.delete(path)).status).toBe(200);
    expect((await system.control.get(path)).status).toBe(404);
  });

  it("are not made for an account that there is not, nor under a name that is none", async () => {
    const { account } = await domainOf();
    expect(await refusalOf("/v1/accounts/nobody/domains/a.example", {})).toMatchObject({ status: 404 });
    expect(pathsOf(await refusalOf(`/v1/accounts/${account}/domains/localhost`, {}))).toEqual(["domain"]);
  });

  it("sign with a certificate that is valid for them, and refuse every other with what is wrong", async () => {
    const { domain, path } = await domainOf();
    const good = await issueCertificate({ address: `sender@${domain}` });
    const refused = async (signing: object, message: RegExp): Promise<void> => {
      const problem = await refusalOf(path, { messageSigning: true, signing });
      expect(problem).toMatchObject({ status: 422 });
      expect(JSON.stringify(problem.errors)).toMatch(message);
    };
    expect(pathsOf(await refusalOf(path, { messageSigning: true }))).toEqual(["messageSigning"]);
    await refused(await issueCertificate({ address: `sender@${domain}`, isExpired: true }), /expired/);
    await refused(await issueCertificate({ address: "sender@other.example" }), /another domain/);
    await refused(await issueCertificate({ address: `sender@${domain}`, purpose: "server" }), /not for e-mail/);
    const other = await issueCertificate({ address: `sender@${domain}` });
    await refused({ ...good, privateKey: other.privateKey }, /does not belong/);
    const taken = await system.control.put(path, { messageSigning: true, signing: good });
    expect(taken).toMatchObject({ status: 200, body: { signing: { addresses: [`sender@${domain}`] } } });
    expect(JSON.stringify(taken.body)).not.toContain("PRIVATE KEY");
    expect(await system.control.put(path, { messageSigning: true })).toMatchObject({ status: 200, body: taken.body });
  });

  it("have a DKIM key with the record to publish, until it is removed", async () => {
    const { domain, path } = await domainOf();
    const made = await system.control.put<{ dns: { value: string } }>(`${path}/dkim`, {});
    expect(made.body).toMatchObject({
      selector: "waypost",
      dns: { name: `waypost._domainkey.${domain}`, type: "TXT" },
    });
    expect(made.body.dns.value).toMatch(/^v=DKIM1; k=rsa; p=[A-Za-z0-9+/]+=*$/);
    expect(await system.control.put(`${path}/dkim`, {})).toMatchObject({ body: made.body });
    const other = await system.control.put<{ dns: { value: string } }>(`${path}/dkim`, {
      selector: "s2",
      relayed: true,
    });
    expect(other.body).toMatchObject({ relayed: true, dns: { name: `s2._domainkey.${domain}` } });
    expect(other.body.dns.value).not.toBe(made.body.dns.value);
    expect((await system.control.delete(`${path}/dkim`)).status).toBe(200);
    expect((await system.control.get(`${path}/dkim`)).status).toBe(404);
  });
});

describe("the audit", () => {
  it("tells who changed what, when, from what to what", async () => {
    const { account, domain, relay } = await domainOf();
    const headers = {
      authorization: `Bearer ${system.plan.adminToken}`,
      "content-type": "application/json",
      "x-waypost-actor": "jane",
    };
    const body = JSON.stringify({ host: "one.example.net" });
    await fetch(`${system.controlUrl}${relay}`, { method: "PUT", headers, body });
    await system.control.put(relay, { host: "two.example.net" });
    const { items } = (await system.control.get<{ items: Json[] }>(`/v1/audit?account=${account}&limit=2`)).body;
    expect(items).toMatchObject([
      {
        what: `relay ${account}/${domain}`,
        action: "change",
        from: { host: "one.example.net" },
        to: { host: "two.example.net" },
        at: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      },
      { action: "create", who: "jane from 127.0.0.1", to: { host: "one.example.net" } },
    ]);
  });
});
