// MTA-STS on the default route (RFC 8461): a policy in force demands TLS that is verified, of the hosts that it names; what does
// not meet it is deferred, never sent. The policy is served over HTTPS on port 443 of a loopback address: that takes root.
import type { Server } from "node:https";
import { createServer } from "node:https";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loopbackAddress, nameOf, uniqueLabel } from "#test/support/addresses.ts";
import type { Authority } from "#test/support/certificate.ts";
import { createAuthority } from "#test/support/certificate.ts";
import type { DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";

const HTTPS_PORT = 443;

let system: DeliverySystem;
let authority: Authority;
let foreign: Authority;
const servers: { close(): unknown }[] = [];
const trusted = join(tmpdir(), `${uniqueLabel("ca")}.pem`);

beforeAll(async () => {
  [authority, foreign] = await Promise.all([createAuthority(), createAuthority()]);
  writeFileSync(trusted, authority.cert);
  system = await startDeliverySystem({
    env: { WAYPOST_RETRY_SCHEDULE: "20s" },
    serviceEnv: { delivery: { NODE_EXTRA_CA_CERTS: trusted } },
  });
});
afterAll(async () => {
  for (const server of servers) server.close();
  await system.stop();
  rmSync(trusted);
});

function listen(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(HTTPS_PORT, address, resolve);
  });
}

async function publish(domain: string, policy: string): Promise<void> {
  const address = loopbackAddress();
  const { cert, key } = await authority.issue(`mta-sts.${domain}`);
  const server = createServer({ cert, key }, (request, response) => {
    response.writeHead(request.url === "/.well-known/mta-sts.txt" ? 200 : 404, { "content-type": "text/plain" });
    response.end(policy);
  });
  servers.push({
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
  await listen(server, address);
  system.dns.set(`mta-sts.${domain}`, { a: [address] });
}

interface Situation {
  mode: "enforce" | "testing";
  /** Whose certificate the exchanger has; without, it offers no TLS. */
  by?: Authority;
  /** Of the policy; the exchanger's own name by default. */
  mx?: string;
  /** The policy cannot be fetched. */
  isGone?: boolean;
}

async function sendTo({ mode, by, mx, isGone }: Situation) {
  const address = loopbackAddress();
  const host = nameOf(address);
  const tls = by === undefined ? {} : { tls: await by.issue(host) };
  const server: MailServer = await startMailServer({ address, port: system.mxPort, ...tls });
  servers.push(server);
  const domain = `${uniqueLabel("sts")}.example`;
  system.dns.set(domain, { mx: [{ preference: 10, exchange: host }] });
  system.dns.set(`_mta-sts.${domain}`, { txt: ["v=STSv1; id=1;"] });
  if (isGone !== true) {
    await publish(domain, `version: STSv1\r\nmode: ${mode}\r\nmx: ${mx ?? host}\r\nmax_age: 86400\r\n`);
  }
  const account = await system.account();
  const [mailId = ""] = await system.hand(account, { recipients: [`to@${domain}`] });
  const mail = await system.seen(mailId, (seen) => seen.attempts.length > 0);
  const last = mail.trackingPoints.at(-1);
  return { type: last?.meta.event.type, smtp: last?.content?.smtp, server };
}

it("delivers to a host of the policy with a certificate of a known authority", async () => {
  const { type, smtp } = await sendTo({ mode: "enforce", by: authority });
  expect(type).toBe("DELIVERED");
  expect(smtp?.transportEncryption).toMatchObject({ requested: true, established: true });
});

it("takes a host by a pattern of the policy", async () => {
  expect((await sendTo({ mode: "enforce", by: authority, mx: "*.relay.test" })).type).toBe("DELIVERED");
});

it.each<[string, () => Situation]>([
  ["a certificate that nobody knows", () => ({ mode: "enforce", by: foreign })],
  ["a host that the policy does not name", () => ({ mode: "enforce", by: authority, mx: "other.example" })],
])("defers %s, and sends nothing", async (_name, situation) => {
  const { type, smtp, server } = await sendTo(situation());
  expect([type, smtp?.dsn]).toEqual(["DEFERRED", "4.7.5"]);
  expect(server.mails).toHaveLength(0);
});

it("defers a server without TLS, and sends nothing", async () => {
  const { type, smtp, server } = await sendTo({ mode: "enforce" });
  expect([type, smtp?.dsn]).toEqual(["DEFERRED", "4.7.4"]);
  expect(server.mails).toHaveLength(0);
});

it("delivers under a policy that is only tested, and where none can be fetched", async () => {
  expect((await sendTo({ mode: "testing", by: foreign, mx: "other.example" })).type).toBe("DELIVERED");
  expect((await sendTo({ mode: "enforce", by: foreign, isGone: true })).type).toBe("DELIVERED");
});

it("looks at no TLSA record, for this resolver is not declared to validate", async () => {
  await sendTo({ mode: "testing", by: foreign });
  expect(system.dns.questions.filter((question) => question.startsWith("TLSA "))).toEqual([]);
});
