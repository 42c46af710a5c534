// Verifying a relay: step by step up to the first that fails, without sending a mail; what it finds is kept with the relay.
import { once } from "node:events";
import type { AddressInfo, Server, Socket } from "node:net";
import { createServer } from "node:net";
import { TLSSocket } from "node:tls";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newDomain, refusedPut } from "#test/support/administration.ts";
import { loopbackAddress, nameOf } from "#test/support/addresses.ts";
import type { IssuedCertificate } from "#test/support/certificate.ts";
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

/** Goes as far as AUTH, under TLS, and hangs up there. */
function hangsUpAtAuth({ cert, key }: IssuedCertificate): Server {
  const converse = (socket: Socket): void => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      const verb = bytes.toString().slice(0, 4);
      if (verb === "AUTH") socket.destroy();
      else if (verb !== "STAR") socket.write("250-hangs.test\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n");
      else {
        socket.removeAllListeners("data");
        socket.write("220 2.0.0 go\r\n");
        converse(new TLSSocket(socket, { isServer: true, cert, key }));
      }
    });
  };
  return createServer((socket) => {
    socket.write("220 hangs.test\r\n");
    converse(socket);
  });
}

it("tells of TLS that was there though the relay hangs up under it", async () => {
  const { relay } = await newDomain(system);
  const authority = await createAuthority();
  const address = loopbackAddress();
  const server = hangsUpAtAuth(await authority.issue(nameOf(address))).listen(0, address);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await system.control.put(relay, { host: nameOf(address), port, auth: { user: "waypost", password: "a-secret" } });
  const steps = await verified(relay);
  expect(stepsOf(steps).slice(-2)).toEqual(["starttls ok", "auth failed"]);
  expect(steps.at(-2)?.detail).toMatch(/^TLS1.3 /);
  server.close();
});

it("tells the 421 that a relay answers the sender with", async () => {
  const { relay } = await newDomain(system);
  const busy = await startMailServer({ script: { mail: () => ({ code: 421, text: "4.7.0 too many of you" }) } });
  await system.control.put(relay, { host: busy.host, port: busy.port });
  expect((await verified(relay)).at(-1)).toMatchObject({
    step: "sender",
    ok: false,
    detail: "421 4.7.0 too many of you",
  });
  await busy.close();
});

it("says why there is no TLS where mails would go in clear", async () => {
  const { relay } = await newDomain(system);
  const authority = await createAuthority();
  const address = loopbackAddress();
  const tls = await authority.issue(nameOf(address));
  const old = await startMailServer({
    address,
    tls,
    options: { maxVersion: "TLSv1.1", minVersion: "TLSv1" } as object,
  });
  await system.control.put(relay, { host: nameOf(address), port: old.port });
  const steps = await verified(relay);
  expect(stepsOf(steps)).toEqual(
    ["resolve", "connect", "greeting", "ehlo", "starttls", "sender", "recipient"].map((step) => `${step} ok`),
  );
  expect(steps.find(({ step }) => step === "starttls")?.detail).toMatch(/^TLS with .* failed: .*; goes on without/);
  await old.close();
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
