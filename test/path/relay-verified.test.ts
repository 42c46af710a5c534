// Verifying a relay: step by step up to the first that fails, without sending a mail; what it finds is kept with the relay.
import { afterAll, beforeAll, expect, it } from "vitest";
import { newDomain, refusedPut } from "#test/support/administration.ts";
import { loopbackAddress, nameOf } from "#test/support/addresses.ts";
import { createAuthority } from "#test/support/certificate.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";

interface Step {
  step: string;
  ok: boolean;
  detail: string;
  ms: number;
}

let system: System;
let mailServer: MailServer;

beforeAll(async () => {
  system = await startSystem({ services: ["control", "delivery"] });
  mailServer = await startMailServer();
});
afterAll(async () => {
  await system.stop();
  await mailServer.close();
});

const verified = async (relay: string): Promise<Step[]> =>
  (await system.control.post<{ steps: Step[] }>(`${relay}/verify`)).body.steps;
const stepsOf = (steps: readonly Step[]) => steps.map(({ step, ok }) => `${step} ${ok ? "ok" : "failed"}`);

it("goes through every step that applies, sends no mail, and is kept with the relay", async () => {
  const { domain, relay } = await newDomain(system);
  await system.control.put(relay, {
    host: nameOf(mailServer.address),
    port: mailServer.port,
    senders: [`a@${domain}`],
  });
  const steps = await verified(relay);
  expect(stepsOf(steps)).toEqual(
    ["resolve", "connect", "greeting", "ehlo", "sender", "recipient"].map((step) => `${step} ok`),
  );
  expect(mailServer.mails).toHaveLength(0);
  expect((await system.control.get(relay)).body).toMatchObject({
    verification: { host: nameOf(mailServer.address), steps },
  });
});

it("ends with the first step that fails", async () => {
  const { relay } = await newDomain(system);
  await system.control.put(relay, { host: "nowhere.invalid", port: mailServer.port });
  expect(stepsOf(await verified(relay))).toEqual(["resolve failed"]);
  await system.control.put(relay, { host: nameOf(mailServer.address), port: mailServer.port, tls: "required" });
  expect(stepsOf(await verified(relay)).at(-1)).toBe("starttls failed");
});

it("keeps a relay that fails from being configured, where the PUT requires it", async () => {
  const { relay } = await newDomain(system);
  const host = nameOf(mailServer.address);
  const refused = await refusedPut(system, `${relay}?verify=require`, { host, port: mailServer.port, tls: "required" });
  expect(refused).toMatchObject({ status: 422, errors: [{ path: "host" }] });
  expect(stepsOf(refused.steps ?? []).at(-1)).toBe("starttls failed");
  expect((await system.control.get(relay)).status).toBe(404);
  const taken = await system.control.put(`${relay}?verify=require`, { host, port: mailServer.port });
  expect(taken).toMatchObject({ status: 200, body: { verification: { host } } });
});

it("is 404 where there is no relay", async () => {
  const { relay } = await newDomain(system);
  expect((await system.control.post(`${relay}/verify`)).status).toBe(404);
});

it("speaks from the account's dedicated IP, authenticates, and tells the certificate's subject and expiry", async () => {
  const authority = await createAuthority();
  const address = loopbackAddress();
  const auth = { user: "waypost", password: "a-secret" };
  const expires = new Date(Date.now() + 5 * 86_400_000);
  const sources: string[] = [];
  const server = await startMailServer({
    address,
    auth,
    tls: await authority.issue(nameOf(address), { notAfter: expires }),
    script: { connect: ({ remoteAddress }) => void sources.push(remoteAddress) },
  });
  const { account, relay } = await newDomain(system);
  const dedicatedIp = "127.88.3.9";
  await system.control.put(`/v1/accounts/${account}`, { customerNo: "4711", dedicatedIp });
  await system.control.put(relay, { host: server.host, port: server.port, tls: "required", auth });
  const steps = await verified(relay);
  await server.close();
  expect(stepsOf(steps)).toEqual(
    ["resolve", "connect", "greeting", "ehlo", "starttls", "auth", "sender", "recipient"].map((step) => `${step} ok`),
  );
  const { detail } = steps.find(({ step }) => step === "starttls") ?? { detail: "" };
  expect(detail).toContain(`certificate of CN=${server.host}`);
  const [, validTo = ""] = /valid to (.*)$/.exec(detail) ?? [];
  expect(Math.abs(Date.parse(validTo) - expires.getTime())).toBeLessThan(2_000);
  expect(new Set(sources)).toEqual(new Set([dedicatedIp]));
  expect(JSON.stringify((await system.control.get(relay)).body)).not.toContain(auth.password);
});
