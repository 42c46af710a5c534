// A scripted DNS server, UDP and TCP. A name with a label such as `127-1-2-3` resolves to that address by itself;
// everything else answers NXDOMAIN until a test says otherwise.
import type { RemoteInfo } from "node:dgram";
import { createSocket } from "node:dgram";
import type { Socket } from "node:net";
import { createServer } from "node:net";
import type { Answer, DecodedPacket, Question } from "dns-packet";
import * as packet from "dns-packet";
import { freePort } from "#deploy/local/ports.ts";

export interface DnsRecords {
  a?: readonly string[];
  aaaa?: readonly string[];
  mx?: readonly { preference: number; exchange: string }[];
  txt?: readonly string[];
  tlsa?: readonly { usage: number; selector: number; matchingType: number; certificate: Buffer }[];
  cname?: string;
  /** Answered instead of the records. */
  rcode?: "NXDOMAIN" | "SERVFAIL" | "REFUSED";
  /** No answer at all. */
  silent?: boolean;
}

export interface ScriptedDns {
  /** For WAYPOST_DNS_SERVERS. */
  readonly server: string;
  /** Questions that were asked, as `MX example.test`. */
  readonly questions: readonly string[];
  set(name: string, records: DnsRecords): void;
  remove(name: string): void;
  close(): Promise<void>;
}

const RCODES = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;
const TTL = 1;
const AUTHORITATIVE = packet.AUTHORITATIVE_ANSWER | packet.RECURSION_AVAILABLE;

function spelled(name: string): DnsRecords | undefined {
  const label = name.split(".").find((part) => /^127-\d{1,3}-\d{1,3}-\d{1,3}$/.test(part));
  return label === undefined ? undefined : { a: [label.replaceAll("-", ".")] };
}

function answersTo(question: Question, records: DnsRecords): Answer[] {
  const { name } = question;
  if (records.cname !== undefined) return [{ type: "CNAME", name, ttl: TTL, data: records.cname }];
  switch (question.type) {
    case "A":
      return (records.a ?? []).map((data) => ({ type: "A", name, ttl: TTL, data }));
    case "AAAA":
      return (records.aaaa ?? []).map((data) => ({ type: "AAAA", name, ttl: TTL, data }));
    case "MX":
      return (records.mx ?? []).map((data) => ({ type: "MX", name, ttl: TTL, data: { ...data } }));
    case "TXT":
      return (records.txt ?? []).map((data) => ({ type: "TXT", name, ttl: TTL, data }));
    case "TLSA":
      return (records.tlsa ?? []).map((data) => ({ type: "TLSA", name, ttl: TTL, data }));
    default:
      return [];
  }
}

function encode(query: DecodedPacket, rcode: number, answers: Answer[]): Buffer {
  return packet.encode({
    type: "response",
    id: query.id ?? 0,
    flags: AUTHORITATIVE | rcode,
    questions: query.questions ?? [],
    answers,
  });
}

function listenUdp(port: number, respond: (query: Buffer) => Buffer | undefined): Promise<{ close(): void }> {
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    socket.once("error", reject);
    socket.on("message", (bytes: Buffer, from: RemoteInfo) => {
      const reply = respond(bytes);
      if (reply !== undefined) socket.send(reply, from.port, from.address);
    });
    socket.bind(port, "127.0.0.1", () => resolve({ close: () => socket.close() }));
  });
}

function listenTcp(port: number, respond: (query: Buffer) => Buffer | undefined): Promise<{ close(): void }> {
  const sockets = new Set<Socket>();
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.once("close", () => sockets.delete(socket));
      let pending: Buffer = Buffer.alloc(0);
      socket.on("data", (bytes: Buffer) => {
        pending = Buffer.concat([pending, bytes]);
        while (pending.length >= 2 && pending.length >= pending.readUInt16BE(0) + 2) {
          const size = pending.readUInt16BE(0);
          const reply = respond(pending.subarray(2, size + 2));
          pending = pending.subarray(size + 2);
          if (reply === undefined) continue;
          const length = Buffer.alloc(2);
          length.writeUInt16BE(reply.length);
          socket.write(Buffer.concat([length, reply]));
        }
      });
    });
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      resolve({
        close: () => {
          for (const socket of sockets) socket.destroy();
          server.close();
        },
      });
    });
  });
}

export async function startDns(): Promise<ScriptedDns> {
  const known = new Map<string, DnsRecords>();
  const questions: string[] = [];

  const respond = (bytes: Buffer): Buffer | undefined => {
    const query = packet.decode(bytes);
    const question = query.questions?.[0];
    if (question === undefined) return undefined;
    const name = question.name.toLowerCase();
    questions.push(`${question.type} ${name}`);
    const records = known.get(name) ?? spelled(name) ?? { rcode: "NXDOMAIN" as const };
    if (records.silent === true) return undefined;
    if (records.rcode !== undefined) return encode(query, RCODES[records.rcode], []);
    return encode(query, RCODES.NOERROR, answersTo(question, records));
  };

  // Free for TCP, and below the ports that the system gives to others: then it is free for UDP too.
  const port = await freePort();
  const tcp = await listenTcp(port, respond);
  const udp = await listenUdp(port, respond);
  return {
    server: `127.0.0.1:${port}`,
    questions,
    set: (name, records) => void known.set(name.toLowerCase(), records),
    remove: (name) => void known.delete(name.toLowerCase()),
    close: async () => {
      udp.close();
      tcp.close();
    },
  };
}
