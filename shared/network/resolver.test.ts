import type { RemoteInfo } from "node:dgram";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { afterAll, beforeAll, expect, it } from "vitest";
import * as packet from "dns-packet";
import { createResolver } from "./resolver.ts";

/** What the server does with each question for a name, in turn; then it answers. */
const troubles = new Map<string, ("silence" | "nonsense")[]>();
const server = createSocket("udp4");

function respond(bytes: Buffer, from: RemoteInfo): void {
  const query = packet.decode(bytes);
  const name = query.questions?.[0]?.name ?? "";
  const trouble = troubles.get(name)?.shift();
  if (trouble === "silence") return;
  const data = { preference: 10, exchange: "mx.example" };
  const answers = [{ type: "MX" as const, name, ttl: 1, data }];
  const flags = packet.RECURSION_AVAILABLE;
  const reply = packet.encode({
    type: "response",
    id: query.id ?? 0,
    flags,
    questions: query.questions ?? [],
    answers,
  });
  if (trouble === "nonsense") reply.fill(0xff, 12);
  server.send(reply, from.port, from.address);
}

beforeAll(async () => {
  server.on("message", respond);
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => server.close());

const resolverHere = () =>
  createResolver({
    WAYPOST_DNS_SERVERS: [`127.0.0.1:${server.address().port}`],
    WAYPOST_STATIC_HOSTS: undefined,
  });

it.each(["silence", "nonsense"] as const)(
  "a name that meets with %s where others are answered at once",
  async (trouble) => {
    const dns = resolverHere();
    for (let index = 0; index < 5; index += 1) await dns.mx(`quick${index}.example`);
    const name = `${trouble}.example`;
    troubles.set(name, [trouble, trouble]);
    expect(await dns.mx(name)).toMatchObject({ ok: true, records: [{ exchange: "mx.example", priority: 10 }] });
  },
);
