// TLS and authentication towards relays, by the relay's `tls`; what was asked for and established is told.
import { afterAll, beforeAll, expect, it } from "vitest";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Authority } from "#test/support/certificate.ts";
import { createAuthority } from "#test/support/certificate.ts";
import { loopbackAddress, nameOf, uniqueLabel } from "#test/support/addresses.ts";
import type { DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import type { MailServer, MailServerOptions } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";

let system: DeliverySystem;
let authority: Authority;
let foreign: Authority;
const servers: MailServer[] = [];
const trusted = join(tmpdir(), `${uniqueLabel("ca")}.pem`);

beforeAll(async () => {
  authority = await createAuthority();
  foreign = await createAuthority();
  writeFileSync(trusted, authority.cert);
  system = await startDeliverySystem({
    env: { WAYPOST_RETRY_SCHEDULE: "20s" },
    serviceEnv: { delivery: { NODE_EXTRA_CA_CERTS: trusted } },
  });
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await system.stop();
  rmSync(trusted);
});

async function relayWith(options: MailServerOptions & { by?: Authority; name?: string }): Promise<MailServer> {
  const address = loopbackAddress();
  const { by, name = nameOf(address), ...others } = options;
  const tls = by === undefined ? {} : { tls: await by.issue(name) };
  const server = await startMailServer({ address, ...others, ...tls });
  servers.push(server);
  return server;
}

async function attemptBy(relay: MailServer, settings: object) {
  const account = await system.account();
  await system.relay(account, relay, settings);
  const [mailId = ""] = await system.hand(account, { recipients: ["to@recipient.example"] });
  const mail = await system.seen(mailId, (seen) => seen.attempts.length > 0);
  return { smtp: mail.trackingPoints.at(-1)?.content?.smtp, type: mail.trackingPoints.at(-1)?.meta.event.type };
}

const ESTABLISHED = { requested: true, established: true, properties: { protocol: "TLS1.3" } };

it("never: speaks in clear, even where STARTTLS is offered", async () => {
  const relay = await relayWith({ by: authority });
  const { smtp, type } = await attemptBy(relay, { tls: "never" });
  expect(type).toBe("DELIVERED");
  expect(smtp?.transportEncryption).toEqual({ requested: false, established: false });
  expect(relay.accepted[0]?.isTls).toBe(false);
});

it("opportunistic: takes any certificate", async () => {
  const relay = await relayWith({ by: foreign, name: "somebody.else.test" });
  const { smtp } = await attemptBy(relay, {});
  expect(smtp?.transportEncryption).toMatchObject(ESTABLISHED);
  expect(smtp?.transportEncryption?.properties?.cipherSuite).toMatch(/^TLS_/);
  expect(relay.accepted[0]?.isTls).toBe(true);
});

it("opportunistic: goes on without STARTTLS", async () => {
  const { smtp, type } = await attemptBy(await relayWith({}), {});
  expect(type).toBe("DELIVERED");
  expect(smtp?.transportEncryption).toEqual({ requested: true, established: false });
});

it("required: takes any certificate, and nothing in clear", async () => {
  expect((await attemptBy(await relayWith({ by: foreign }), { tls: "required" })).type).toBe("DELIVERED");
  const plain = await relayWith({});
  const { smtp, type } = await attemptBy(plain, { tls: "required" });
  expect(type).toBe("DEFERRED");
  expect(smtp?.dsn).toMatch(/^4\./);
  expect(plain.mails).toHaveLength(0);
});

it("verified: takes a certificate of a known authority for the relay's name only", async () => {
  expect((await attemptBy(await relayWith({ by: authority }), { tls: "verified" })).type).toBe("DELIVERED");
  for (const relay of [
    await relayWith({ by: foreign }),
    await relayWith({ by: authority, name: "somebody.else.test" }),
    await relayWith({}),
  ]) {
    expect((await attemptBy(relay, { tls: "verified" })).type).toBe("DEFERRED");
    expect(relay.mails).toHaveLength(0);
  }
});

it("refuses TLS below 1.2", async () => {
  const relay = await relayWith({ by: authority, options: { maxVersion: "TLSv1.1", minVersion: "TLSv1" } as object });
  expect((await attemptBy(relay, { tls: "required" })).type).toBe("DEFERRED");
});

const CREDENTIALS = { user: "waypost", password: "a secret" };

it("authenticates under TLS", async () => {
  const relay = await relayWith({ by: authority, auth: CREDENTIALS });
  const { type } = await attemptBy(relay, { tls: "verified", auth: CREDENTIALS });
  expect(type).toBe("DELIVERED");
  expect(relay.accepted[0]?.user).toBe(CREDENTIALS.user);
});

it("takes a wrong password for a fault of the set-up: deferred, never bounced, and told without the password that the relay repeats", async () => {
  const relay = await relayWith({ by: authority, auth: CREDENTIALS });
  const { smtp, type } = await attemptBy(relay, { auth: { ...CREDENTIALS, password: "wrong" } });
  expect(type).toBe("DEFERRED");
  expect(smtp).toMatchObject({ responseCode: "535", dsn: "4.7.8" });
  expect(smtp?.reason).toMatch(/said: 535 5\.7\.8 authentication failed: waypost \*\*\*\)$/);
});

it("takes 530 to MAIL for a fault of the set-up as well", async () => {
  const relay = await relayWith({ by: authority, auth: CREDENTIALS });
  const { smtp, type } = await attemptBy(relay, {});
  expect(type).toBe("DEFERRED");
  expect(smtp).toMatchObject({ responseCode: "530" });
});

it("sends no credentials in clear, unless the relay's tls is never", async () => {
  const relay = await relayWith({ auth: { ...CREDENTIALS, withoutTls: true } });
  const refused = await attemptBy(relay, { auth: CREDENTIALS });
  expect(refused).toMatchObject({ type: "DEFERRED", smtp: { dsn: "4.7.11" } });
  const { type } = await attemptBy(relay, { tls: "never", auth: CREDENTIALS });
  expect(type).toBe("DELIVERED");
});
