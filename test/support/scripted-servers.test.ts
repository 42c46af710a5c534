// The scripted far ends do what the tests believe of them.
import { Resolver } from "node:dns/promises";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { createTransport } from "nodemailer";
import { afterAll, expect, test } from "vitest";
import { createAuthority } from "./certificate.ts";
import { startDns } from "./dns.ts";
import { startEndpoint } from "./endpoint.ts";
import { startHostileServer } from "./hostile-mail-server.ts";
import { startMailServer } from "./mail-server.ts";
import { startOtlpReceiver } from "./otlp-receiver.ts";

const closing: { close(): Promise<void> }[] = [];
afterAll(async () => {
  await Promise.all(closing.map((item) => item.close()));
});

function keep<T extends { close(): Promise<void> }>(item: T): T {
  closing.push(item);
  return item;
}

test("the mail server records the envelope and the bytes, and refuses when the script says so", async () => {
  const server = keep(await startMailServer());
  const transport = createTransport({ host: server.address, port: server.port, ignoreTLS: true });
  await transport.sendMail({ from: "a@x.test", to: "b@y.test", subject: "s", text: "hello" });
  expect(server.accepted[0]).toMatchObject({ from: "a@x.test", to: ["b@y.test"] });
  expect(server.accepted[0]?.text).toContain("hello");
  server.script = { rcpt: () => ({ code: 550, text: "5.1.1 no such user" }) };
  await expect(transport.sendMail({ from: "a@x.test", to: "b@y.test", text: "x" })).rejects.toThrow(
    "5.1.1 no such user",
  );
});

test("the mail server offers TLS and asks for a login", async () => {
  const authority = await createAuthority();
  const tls = await authority.issue("mail.test");
  const server = keep(await startMailServer({ tls, auth: { user: "u", password: "p" } }));
  const transport = createTransport({
    host: server.address,
    port: server.port,
    requireTLS: true,
    auth: { user: "u", pass: "p" },
    tls: { ca: authority.cert, servername: "mail.test" },
  });
  await transport.sendMail({ from: "a@x.test", to: "b@y.test", text: "x" });
  expect(server.accepted[0]).toMatchObject({ isTls: true, user: "u" });
});

test("the hostile server misbehaves at the step that it is told", async () => {
  const server = keep(await startHostileServer({ mail: { kind: "drop" } }));
  const transport = createTransport({ host: server.address, port: server.port, ignoreTLS: true });
  await expect(transport.sendMail({ from: "a@x.test", to: "b@y.test", text: "x" })).rejects.toThrow(/close/i);
  expect(server.commands.at(-1)).toMatch(/^MAIL FROM:<a@x.test>/);
  server.behaviour = { ehlo: { kind: "flood", megabytes: 1 } };
  const socket = connect(server.port, server.address);
  socket.write("EHLO x\r\nQUIT\r\n");
  expect((await text(socket)).length).toBeGreaterThan(1024 * 1024);
});

test("the DNS server answers what it was told and what a name spells", async () => {
  const dns = keep(await startDns());
  dns.set("y.test", { mx: [{ preference: 10, exchange: "127-0-0-9.mx.test" }] });
  dns.set("broken.test", { rcode: "SERVFAIL" });
  const resolver = new Resolver();
  resolver.setServers([dns.server]);
  expect(await resolver.resolveMx("y.test")).toMatchObject([{ priority: 10, exchange: "127-0-0-9.mx.test" }]);
  expect(await resolver.resolve4("127-0-0-9.mx.test")).toEqual(["127.0.0.9"]);
  await expect(resolver.resolve4("other.test")).rejects.toMatchObject({ code: "ENOTFOUND" });
  await expect(resolver.resolve4("broken.test")).rejects.toMatchObject({ code: "ESERVFAIL" });
});

test("the endpoint records requests and answers with the script's status", async () => {
  const endpoint = keep(await startEndpoint((_request, count) => ({ status: count === 1 ? 503 : 200 })));
  const body = JSON.stringify({ meta: {}, notifications: [] });
  expect((await fetch(endpoint.url, { method: "POST", body })).status).toBe(503);
  expect((await fetch(endpoint.url, { method: "POST", body })).status).toBe(200);
  expect(endpoint.requests).toHaveLength(2);
});

test("the OTLP receiver reads spans as JSON", async () => {
  const receiver = keep(await startOtlpReceiver());
  const span = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", name: "publish x", kind: 4 };
  await fetch(`${receiver.httpUrl}/v1/traces`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }),
  });
  expect(receiver.ofTrace(span.traceId)[0]).toMatchObject({ name: "publish x", kind: "PRODUCER" });
});
