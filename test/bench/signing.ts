// `node test/bench/signing.ts`: what an S/MIME signature costs a mail, in processor time of the service that pays for it. The
// router signs once a job (hash, private key, CMS); delivery puts each mail together. No broker, no database, no network.
import { parseArgs } from "node:util";
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { createSigner } from "#shared/signing/cms.ts";
import { boundaryOf, composeSigned, digestOf, splitForSigning } from "#shared/signing/multipart-signed.ts";
import { machineLine } from "./report.ts";

const { values } = parseArgs({ options: { count: { type: "string", default: "300" } } });
const COUNT = Number(values.count);
const CHUNK_BYTES = 2 * 1024 * 1024;
const HEADERS = Buffer.from(
  "From: a@acme.example\r\nTo: b@recipient.example\r\nSubject: A test\r\nMIME-Version: 1.0\r\n",
);
const KEYS = {
  "RSA 2048": {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
  },
  "RSA 4096": {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    modulusLength: 4096,
    publicExponent: new Uint8Array([1, 0, 1]),
  },
  "EC P-256": { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
} as const;
const SIZES = { "10 KB": 10_240, "20 MB": 20_000_000 } as const;

const say = (text: string): void => console.log(text);

async function materialOf(
  algorithm: (typeof KEYS)[keyof typeof KEYS],
): Promise<{ certificate: string; privateKey: string }> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=Bench",
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 1_000),
    notAfter: new Date(Date.now() + 86_400_000),
  });
  const exported = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { certificate: certificate.toString("pem"), privateKey: x509.PemConverter.encode(exported, "PRIVATE KEY") };
}

function contentOf(bytes: number): Buffer {
  return Buffer.concat([
    Buffer.from("Content-Type: text/plain\r\n\r\n"),
    Buffer.alloc(bytes, "0123456789 a line of a text.\r\n"),
  ]);
}

function chunksOf(content: Buffer): Buffer[] {
  return Array.from({ length: Math.ceil(content.length / CHUNK_BYTES) }, (_, index) =>
    content.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
  );
}

/** Milliseconds of processor time a turn, all threads of the process. */
async function cpuOf(count: number, turn: () => unknown): Promise<number> {
  for (let warm = 0; warm < Math.min(count, 50); warm += 1) await turn();
  const before = process.cpuUsage();
  for (let done = 0; done < count; done += 1) await turn();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / count;
}

async function measure(key: keyof typeof KEYS, size: keyof typeof SIZES): Promise<void> {
  const signer = createSigner(await materialOf(KEYS[key]));
  const content = contentOf(SIZES[size]);
  const chunks = chunksOf(content);
  const count = SIZES[size] > CHUNK_BYTES ? Math.max(5, Math.ceil(COUNT / 20)) : COUNT;
  const signature = async (): Promise<{ der: string; boundary: string }> => {
    const digest = await digestOf(chunks);
    return { der: (await signer.sign(digest, new Date())).toString("base64"), boundary: boundaryOf(digest) };
  };
  const made = await signature();
  const router = await cpuOf(count, signature);
  const hash = await cpuOf(count, () => digestOf(chunks));
  const delivery = await cpuOf(count, () => composeSigned(splitForSigning(HEADERS, content), made));
  say(
    `${key}, ${size}: router ${router.toFixed(3)} ms a job (of it the hash ${hash.toFixed(3)}), delivery ${delivery.toFixed(3)} ms a mail, ${made.der.length} bytes of signature`,
  );
}

say(machineLine());
for (const key of Object.keys(KEYS) as (keyof typeof KEYS)[]) {
  for (const size of Object.keys(SIZES) as (keyof typeof SIZES)[]) await measure(key, size);
}
