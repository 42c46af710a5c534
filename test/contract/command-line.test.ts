// Operator contract, Command line: the verbs, `--json`, and exit codes 0, 1 (refused or failed), 2 (usage).
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { uniqueLabel } from "#test/support/addresses.ts";
import type { Endpoint } from "#test/support/endpoint.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import { ROOT } from "#test/support/service-process.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";
import type { TestAccount } from "#test/support/system-client.ts";

let system: System;
let account: TestAccount;
let relay: MailServer;
let endpoint: Endpoint;

beforeAll(async () => {
  [system, relay, endpoint] = await Promise.all([startSystem({}), startMailServer(), startEndpoint()]);
  account = await system.account({ notification: { url: endpoint.url } });
  await system.relay(account, relay);
});
afterAll(async () => {
  await system.stop();
  await Promise.all([relay.close(), endpoint.close()]);
});

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

function waypost(...args: string[]): Promise<Ran> {
  const script = join(ROOT, "services/control/cli/waypost.sh");
  const env = {
    PATH: process.env["PATH"],
    WAYPOST_CONTROL_URL: system.controlUrl,
    WAYPOST_ADMIN_TOKEN: system.plan.adminToken,
  };
  return new Promise((resolve) => {
    execFile("sh", [script, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

/** The one JSON document that a verb prints with --json. */
async function json<T>(...args: string[]): Promise<{ code: number; answer: T }> {
  const { code, stdout } = await waypost(...args, "--json");
  return { code, answer: JSON.parse(stdout) as T };
}

const recipient = (): string => `${uniqueLabel("to")}@recipient.example`;

async function send(): Promise<string> {
  const as = ["--url", system.httpUrl, "--account", account.name, "--password", account.password];
  const { answer } = await json<{ jobId: string }>("send", ...as, "--from", account.sender, "--to", recipient());
  return answer.jobId;
}

describe("exit codes", () => {
  it.each([
    [["nonsense"]],
    [["relay", "show"]],
    [["mails", "--colour", "red"]],
    [["send", "--url", "http://127.0.0.1:1", "--account", "a", "--password", "p"]],
    [["dead", "replay"]],
    [["suppression", "remove", "acme", ".."]],
    [["domain", "set", "a", "a.example", "--certificate", "package.json"]],
  ])("%j is a usage error: 2", async (args) => {
    const { code, stdout, stderr } = await waypost(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).not.toBe("");
  });

  it.each([[["account", "show", "nobody"]], [["trace", "nothing"]], [["audit", "--since", "nonsense"]]])(
    "%j is refused: 1, with the problem under --json",
    async (args) => {
      expect(await waypost(...args)).toMatchObject({
        code: 1,
        stdout: "",
        stderr: expect.stringMatching(/^waypost: /) as string,
      });
      const { code, answer } = await json<{ error: { status: number } }>(...args);
      expect(code).toBe(1);
      expect([404, 422]).toContain(answer.error.status);
    },
  );

  it("shows what would be an order to the terminal", async () => {
    const { stderr } = await waypost("account", "show", "\u001b[2J\u009b31m");
    expect(stderr).toContain("\\u001b[2J\\u009b31m");
  });

  it("is 0, with nothing on stderr, where the reader of a pipe has enough", async () => {
    const script = join(ROOT, "services/control/cli/waypost.sh");
    const verb = spawn("sh", [script, "--help"], { stdio: ["ignore", "pipe", "pipe"] });
    verb.stdout.destroy();
    const [said, [code]] = await Promise.all([text(verb.stderr), once(verb, "close")]);
    expect({ said, code: code as unknown }).toEqual({ said: "", code: 0 });
  });

  it("is 1 where a check fails, and --json still prints one document", async () => {
    const own = await system.account();
    const set = await waypost("relay", "set", own.name, own.domain, "lost.nowhere.invalid");
    expect(set.code).toBe(0);
    const verified = await json<{ steps: { step: string; ok: boolean }[] }>("relay", "verify", own.name, own.domain);
    expect(verified).toMatchObject({ code: 1, answer: { steps: [{ step: "resolve", ok: false }] } });
    const { code, answer } = await json<{ checks: { check: string; ok: boolean; mend: string }[] }>("doctor");
    expect(code).toBe(1);
    const dns = answer.checks.find(({ check }) => check === "dns lost.nowhere.invalid");
    expect(dns).toMatchObject({ ok: false, mend: expect.stringContaining("WAYPOST_DNS_SERVERS") as string });
    const { checks } = answer;
    for (const name of ["broker", "database", "topology", "ports"]) {
      expect(checks).toContainEqual(expect.objectContaining({ check: name, ok: true }));
    }
    expect((await waypost("relay", "remove", own.name, own.domain)).code).toBe(0);
  });
});

describe("the verbs", () => {
  it("set, show, list and remove an account, its domain and its relay", async () => {
    const [name, domain] = [uniqueLabel("cli"), `${uniqueLabel("cli")}.example`];
    expect((await json("account", "set", name, "--customer-no", "7", "--tenant", "T")).answer).toMatchObject({
      account: name,
      customerNo: "7",
    });
    expect((await json("domain", "set", name, domain)).answer).toMatchObject({ domain, messageSigning: false });
    const set = ["relay", "set", name, domain, "relay.example.net", "--tls", "required"];
    expect((await json(...set)).answer).toMatchObject({ host: "relay.example.net", tls: "required" });
    for (const [verb, state] of [
      ["suspend", "held"],
      ["resume", "active"],
    ] as const) {
      expect((await json("relay", verb, name, domain)).answer).toMatchObject({ lane: { state } });
    }
    expect((await waypost("relay", "list")).stdout).toContain(domain);
    expect((await waypost("account", "list")).stdout).toContain(name);
    expect((await json("relay", "remove", name, domain)).code).toBe(0);
    expect((await json("account", "remove", name)).answer).toMatchObject({ state: "leaving" });
  });

  it("send a job, follow it at once, find and explain its mail", async () => {
    const jobId = await send();
    const followed = await waypost("trace", jobId, "--follow");
    expect(followed.code).toBe(0);
    expect(followed.stdout).toMatch(/STARTED[^]*PROCESSED[^]*DELIVERED/);
    const { answer } = await json<{ mailId: string; state: string }[]>("trace", jobId);
    expect(answer).toMatchObject([{ state: "FINISHED" }]);
    const found = await json<{ items: { jobId: string }[] }>("mails", "--account", account.name, "--limit", "1");
    expect(found.answer.items).toMatchObject([{ jobId }]);
    const explain = ["explain", "--account", account.name, "--from", account.sender, "--to", "a@b.example"];
    expect((await json(...explain)).answer).toMatchObject({ route: { kind: "relay" } });
    expect(await json("audit", "--since", "1h")).toMatchObject({ code: 0, answer: { offenders: [] } });
  });

  it("list, add and remove a suppression, and erase a recipient", async () => {
    const email = recipient();
    expect((await json("suppression", "add", account.name, email, "--reason", "asked")).code).toBe(0);
    expect((await json("suppression", "list", account.name)).answer).toMatchObject({
      items: [{ email, reason: "asked" }],
    });
    expect((await json("suppression", "remove", account.name, email)).code).toBe(0);
    expect((await json("erase", email)).code).toBe(0);
    expect((await json("dead", "list", "--account", account.name)).answer).toEqual({
      notifications: { items: [] },
      messages: { items: [] },
    });
  });

  it("keep the password of an endpoint where only its user is given", async () => {
    const own = await system.account();
    const set = ["account", "set", own.name, "--customer-no", "7", "--notification-url", endpoint.url];
    expect((await waypost(...set, "--notification-user", "u", "--notification-password", "p")).code).toBe(0);
    expect((await waypost(...set, "--notification-user", "v")).code).toBe(0);
    expect((await waypost("notify", "test", endpoint.url, "--account", own.name)).code).toBe(0);
    const posts = endpoint.requests.filter(({ body }) => body.meta.account === own.name);
    expect(posts.at(-1)?.headers["authorization"]).toBe(`Basic ${Buffer.from("v:p").toString("base64")}`);
  });

  it("post samples of nobody's to an endpoint where no account is named", async () => {
    const tested = await json<{ items: object[] }>("notify", "test", endpoint.url);
    expect(tested.code).toBe(0);
    expect(tested.answer.items).toContainEqual(expect.objectContaining({ type: "DELIVERED", ok: true }));
    const post = endpoint.requests.findLast(({ body }) => body.meta.account === "example");
    expect(post?.headers).not.toHaveProperty("authorization");
    expect(post?.headers).not.toHaveProperty("webhook-signature");
  });

  it("post samples to an endpoint, and show the settings with secrets masked", async () => {
    const tested = await json<{ items: object[] }>("notify", "test", endpoint.url, "--account", account.name);
    expect(tested.code).toBe(0);
    expect(tested.answer.items).toContainEqual(expect.objectContaining({ type: "DELIVERED", ok: true }));
    const { answer } = await json<{ items: { name: string; value: string }[] }>("config");
    expect(answer.items).toContainEqual(expect.objectContaining({ name: "WAYPOST_ADMIN_TOKEN", value: "****" }));
    expect(JSON.stringify(answer)).not.toContain(system.plan.adminToken);
  });
});
