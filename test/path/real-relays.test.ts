// Debian's Postfix and Exim as relays: their queue ids show up in our record; one of them with TLS and AUTH.
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { uniqueLabel } from "#test/support/addresses.ts";
import { createAuthority } from "#test/support/certificate.ts";
import type { RealRelay } from "#test/support/debian-relays.ts";
import { startEximRelay, startPostfixRelay } from "#test/support/debian-relays.ts";
import type { DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import { ROOT } from "#test/support/service-process.ts";

const AUTH = { user: "waypost", password: "a-secret" };

let system: DeliverySystem;
let postfix: RealRelay;
let exim: RealRelay;
const directory = join(tmpdir(), uniqueLabel("real-relays"));

beforeAll(async () => {
  const authority = await createAuthority();
  const trusted = `${directory}.pem`;
  writeFileSync(trusted, authority.cert);
  postfix = await startPostfixRelay(join(directory, "postfix"));
  exim = await startEximRelay({
    directory: join(directory, "exim"),
    cache: join(ROOT, ".waypost", "exim"),
    tls: (name) => authority.issue(name),
    auth: AUTH,
  });
  system = await startDeliverySystem({ serviceEnv: { delivery: { NODE_EXTRA_CA_CERTS: trusted } } });
});
afterAll(async () => {
  await system.stop();
  await exim.stop();
  await postfix.stop();
  rmSync(directory, { recursive: true, force: true });
  rmSync(`${directory}.pem`);
});

async function endBy(relay: RealRelay, recipient: string, settings = {}) {
  const account = await system.account();
  await system.relay(account, relay, settings);
  const [mailId = ""] = await system.hand(account, { recipients: [recipient] });
  const mail = await system.ended(mailId);
  return { mail, last: mail.trackingPoints.at(-1) };
}

it("delivers through Postfix", async () => {
  const { mail, last } = await endBy(postfix, "to@recipient.example");
  expect(last?.meta.event.type).toBe("DELIVERED");
  const queueId = mail.attempts.at(-1)?.remoteQueueId ?? "";
  expect(last?.content?.smtp?.reason).toBe(`sent (250 2.0.0 Ok: queued as ${queueId})`);
  expect(postfix.queue()).toContain(queueId);
});

it("tells what Postfix refuses", async () => {
  const { last } = await endBy(postfix, "nobody@recipient.example");
  expect(last?.meta.event).toMatchObject({ type: "BOUNCED", subType: "HARD_BOUNCE" });
  expect(last?.content?.smtp).toMatchObject({ responseCode: "554", dsn: "5.7.1" });
});

it("delivers through Exim, with TLS that is verified and AUTH", async () => {
  const { mail, last } = await endBy(exim, "to@recipient.example", { tls: "verified", auth: AUTH });
  expect(last?.meta.event.type).toBe("DELIVERED");
  expect(last?.content?.smtp?.transportEncryption).toMatchObject({ requested: true, established: true });
  const queueId = mail.attempts.at(-1)?.remoteQueueId ?? "";
  expect(queueId).toMatch(/^\w+-\w+-\w+$/);
  expect(exim.queue()).toContain(queueId);
});
