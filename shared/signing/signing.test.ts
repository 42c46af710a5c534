// Signatures are verified by OpenSSL, not by the library that made them.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { certificateFacts, covers, signingProblems } from "./certificate.ts";
import { createSigner } from "./cms.ts";
import { boundaryOf, composeSigned, digestOf, splitForSigning } from "./multipart-signed.ts";

let directory = "";
const path = (name: string): string => join(directory, name);
const openssl = (...words: string[]): void => void execFileSync("openssl", words, { cwd: directory, stdio: "ignore" });
const read = (name: string): string => readFileSync(path(name), "utf8");

interface Leaf {
  name: string;
  extensions: string;
  key?: readonly string[];
  days?: string;
}

function issue(leaf: Leaf): void {
  writeFileSync(path(`${leaf.name}.ext`), leaf.extensions);
  openssl(
    "req",
    "-new",
    "-newkey",
    ...(leaf.key ?? ["rsa:2048"]),
    "-nodes",
    "-keyout",
    `${leaf.name}.key`,
    "-out",
    `${leaf.name}.csr`,
    "-subj",
    "/CN=Acme Mail",
  );
  openssl(
    "x509",
    "-req",
    "-in",
    `${leaf.name}.csr`,
    "-CA",
    "ca.crt",
    "-CAkey",
    "ca.key",
    "-CAcreateserial",
    "-days",
    leaf.days ?? "90",
    "-extfile",
    `${leaf.name}.ext`,
    "-out",
    `${leaf.name}.crt`,
  );
}

const EMAIL =
  "keyUsage=digitalSignature\nextendedKeyUsage=emailProtection\nsubjectAltName=email:Box@acme.example,email:office@acme.example\n";

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "waypost-signing-"));
  openssl(
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-subj",
    "/CN=Test CA",
    "-days",
    "90",
  );
  issue({ name: "good", extensions: EMAIL });
  issue({ name: "curve", extensions: EMAIL, key: ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"] });
  issue({ name: "edwards", extensions: EMAIL, key: ["ed25519"] });
  issue({ name: "bitcoin", extensions: EMAIL, key: ["ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"] });
  issue({
    name: "server",
    extensions: "keyUsage=digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=email:box@acme.example\n",
  });
  issue({ name: "other", extensions: "extendedKeyUsage=emailProtection\nsubjectAltName=email:box@other.example\n" });
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

const material = (name: string): { certificate: string; privateKey: string } => ({
  certificate: `${read(`${name}.crt`)}${read("ca.crt")}`,
  privateKey: read(`${name}.key`),
});

const HEADERS = Buffer.from(
  "From: Box <box@acme.example>\r\nSubject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n",
);
const BODIES = {
  plain:
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n\r\n",
  alternative:
    'Content-Type: multipart/alternative; boundary="a"\r\n\r\n--a\r\nContent-Type: text/plain\r\n\r\nHi\r\n--a\r\nContent-Type: text/html\r\n\r\n<p>Hi</p>\r\n--a--\r\n',
  attachment:
    'Content-Type: multipart/mixed;\r\n boundary="m"\r\n\r\n--m\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0=\r\n--m--\r\n',
} as const;

async function signed(name: string, body: string): Promise<Buffer> {
  const split = splitForSigning(HEADERS, Buffer.from(body));
  const digest = await digestOf([Buffer.from(body)]);
  const der = await createSigner(material(name)).sign(digest, new Date());
  return Buffer.concat(composeSigned(split, { der: der.toString("base64"), boundary: boundaryOf(digest) }));
}

function verifies(message: Buffer): boolean {
  writeFileSync(path("mail.eml"), message);
  const words = [
    "cms",
    "-verify",
    "-in",
    "mail.eml",
    "-CAfile",
    "ca.crt",
    "-purpose",
    "smimesign",
    "-out",
    "content.out",
  ];
  return spawnSync("openssl", words, { cwd: directory }).status === 0;
}

it.each(Object.entries(BODIES))(
  "signs %s so that OpenSSL verifies it, and a changed byte does not",
  async (_name, body) => {
    const message = await signed("good", body);
    expect(verifies(message)).toBe(true);
    expect(readFileSync(path("content.out"), "latin1")).toBe(body);
    const changed = Buffer.from(message);
    const at = message.indexOf(body.slice(-12)) + 2;
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(verifies(changed)).toBe(false);
  },
);

it("signs with an elliptic-curve key", async () => {
  expect(verifies(await signed("curve", BODIES.plain))).toBe(true);
});

it("keeps the outer headers as they were and the chain inside", async () => {
  const message = (await signed("good", BODIES.plain)).toString("latin1");
  expect(message.startsWith(HEADERS.toString("latin1"))).toBe(true);
  expect(message).toContain('protocol="application/pkcs7-signature"; micalg=sha-256');
  writeFileSync(path("mail.eml"), message);
  execFileSync("openssl", ["smime", "-pk7out", "-in", "mail.eml", "-out", "p7.pem"], { cwd: directory });
  const certificates = execFileSync("openssl", ["pkcs7", "-in", "p7.pem", "-print_certs", "-noout"], {
    cwd: directory,
  }).toString();
  expect(certificates).toContain("CN = Test CA");
  expect(certificates).toContain("CN = Acme Mail");
});

it("reads what a certificate covers, without regard to case", () => {
  const facts = certificateFacts(read("good.crt"));
  expect(facts?.addresses).toEqual(["box@acme.example", "office@acme.example"]);
  expect(facts !== undefined && covers(facts, "OFFICE@acme.example")).toBe(true);
  expect(facts !== undefined && covers(facts, "sales@acme.example")).toBe(false);
});

it.each([
  ["good", "acme.example", new Date("2126-01-01"), /expired on/],
  ["good", "acme.example", new Date("2000-01-01"), /not valid before/],
  ["other", "acme.example", undefined, /for another domain: it covers box@other\.example/],
  ["server", "acme.example", undefined, /not for e-mail/],
])("refuses %s for %s at %s and says which", (name, domain, now, reason) => {
  expect(signingProblems(material(name), domain, now ?? new Date())).toEqual([expect.stringMatching(reason)]);
});

it("accepts a good one and refuses a key that does not match, or cannot be read", () => {
  expect(signingProblems(material("good"), "acme.example", new Date())).toEqual([]);
  const mixed = { certificate: read("good.crt"), privateKey: read("curve.key") };
  expect(signingProblems(mixed, "acme.example", new Date())).toEqual([expect.stringContaining("does not belong")]);
  const broken = { certificate: read("good.crt"), privateKey: "no key" };
  expect(signingProblems(broken, "acme.example", new Date())).toEqual([expect.stringContaining("cannot be read")]);
});

it.each(["edwards", "bitcoin"])("refuses a key of a kind that cannot sign here: %s", (name) => {
  expect(signingProblems(material(name), "acme.example", new Date())).toEqual([
    expect.stringMatching(/private key cannot sign here: it should be RSA/),
  ]);
});

it.each([1, 2, 3, 7, 50, 1_000])(
  "digests content that comes in chunks of %d bytes as the entity that it is",
  async (size) => {
    for (const body of [...Object.values(BODIES), "Content-Type: text/plain\r\n", `X-Other: 1\r\n${BODIES.plain}`]) {
      const content = Buffer.from(body);
      const chunks = Array.from({ length: Math.ceil(content.length / size) }, (_, index) =>
        content.subarray(index * size, (index + 1) * size),
      );
      const whole = Buffer.concat(splitForSigning(HEADERS, content).entity);
      expect(await digestOf(chunks)).toEqual(createHash("sha256").update(whole).digest());
    }
  },
);
