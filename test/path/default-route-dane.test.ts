// DANE on the default route, where the resolver is declared to validate (RFC 7672): TLSA records decide which certificate is good,
// and what they do not allow is deferred, never sent in clear.
import { createHash, X509Certificate } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loopbackAddress, nameOf, uniqueLabel } from "#test/support/addresses.ts";
import type { Authority, IssuedCertificate } from "#test/support/certificate.ts";
import { createAuthority } from "#test/support/certificate.ts";
import type { DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import type { DnsRecords } from "#test/support/dns.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";

let system: DeliverySystem;
/** Nobody trusts it but for a TLSA record. */
let authority: Authority;
const servers: MailServer[] = [];

beforeAll(async () => {
  authority = await createAuthority();
  system = await startDeliverySystem({ env: { WAYPOST_RETRY_SCHEDULE: "20s", WAYPOST_DNSSEC: "trusted" } });
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await system.stop();
});

type Tlsa = NonNullable<DnsRecords["tlsa"]>[number];

/** The SHA-256 of a whole certificate. */
function tlsaOf(usage: number, pem: string): Tlsa {
  const certificate = createHash("sha256").update(new X509Certificate(pem).raw).digest();
  return { usage, selector: 0, matchingType: 1, certificate };
}

interface Exchanger {
  tls?: IssuedCertificate;
  address?: string;
  records: DnsRecords;
}

async function sendTo({ tls, address = loopbackAddress(), records }: Exchanger) {
  const server = await startMailServer({ address, port: system.mxPort, ...(tls === undefined ? {} : { tls }) });
  servers.push(server);
  const domain = `${uniqueLabel("dane")}.example`;
  system.dns.set(domain, { mx: [{ preference: 10, exchange: server.host }] });
  system.dns.set(`_${system.mxPort}._tcp.${server.host}`, records);
  const account = await system.account();
  const [mailId = ""] = await system.hand(account, { recipients: [`to@${domain}`] });
  const mail = await system.seen(mailId, (seen) => seen.attempts.length > 0);
  const last = mail.trackingPoints.at(-1);
  return { type: last?.meta.event.type, smtp: last?.content?.smtp, server };
}

it("takes the certificate that is published, whoever issued it and for whatever name", async () => {
  const tls = await authority.issue("another.name.example", { notAfter: new Date(Date.now() - 1_000) });
  const { type, smtp } = await sendTo({ tls, records: { tlsa: [tlsaOf(3, tls.cert)] } });
  expect(type).toBe("DELIVERED");
  expect(smtp?.transportEncryption).toMatchObject({ requested: true, established: true });
});

it("takes a certificate under the trust anchor that is published, for the host's name only", async () => {
  const anchored = { tlsa: [tlsaOf(2, authority.cert)] };
  const address = loopbackAddress();
  const good = await sendTo({ tls: await authority.issue(nameOf(address)), address, records: anchored });
  expect(good.type).toBe("DELIVERED");
  const other = await sendTo({ tls: await authority.issue("another.name.example"), records: anchored });
  expect([other.type, other.smtp?.dsn]).toEqual(["DEFERRED", "4.7.5"]);
  expect(other.server.mails).toHaveLength(0);
});

it("defers where the server has another certificate, and sends nothing", async () => {
  const [published, shown] = [await authority.issue("a.example"), await authority.issue("a.example")];
  const { type, smtp, server } = await sendTo({ tls: shown, records: { tlsa: [tlsaOf(3, published.cert)] } });
  expect([type, smtp?.dsn]).toEqual(["DEFERRED", "4.7.5"]);
  expect(smtp?.reason).toContain("DANE");
  expect(server.mails).toHaveLength(0);
});

it("defers where the server offers no TLS", async () => {
  const { cert } = await authority.issue("a.example");
  const { type, smtp, server } = await sendTo({ records: { tlsa: [tlsaOf(3, cert)] } });
  expect([type, smtp?.dsn]).toEqual(["DEFERRED", "4.7.4"]);
  expect(server.mails).toHaveLength(0);
});

it("defers where the records cannot be asked for: they may be there", async () => {
  const { type, smtp, server } = await sendTo({
    tls: await authority.issue("a.example"),
    records: { rcode: "SERVFAIL" },
  });
  expect([type, smtp?.dsn]).toEqual(["DEFERRED", "4.7.5"]);
  expect(server.connections).toBe(0);
});

it("asks for TLS and takes any certificate where no record is usable for SMTP", async () => {
  const [published, shown] = [await authority.issue("a.example"), await authority.issue("b.example")];
  const unusable = { tlsa: [tlsaOf(0, authority.cert), tlsaOf(1, published.cert)] };
  expect((await sendTo({ tls: shown, records: unusable })).type).toBe("DELIVERED");
  expect((await sendTo({ records: unusable })).smtp?.dsn).toBe("4.7.4");
});
