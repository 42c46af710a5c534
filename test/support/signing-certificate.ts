// S/MIME certificates for tests, made by the library that also reads them, and OpenSSL's verdict on what was signed with them.
import "reflect-metadata";
import { spawnSync } from "node:child_process";
import { webcrypto } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";

const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const RSA = {
  name: "RSASSA-PKCS1-v1_5",
  hash: "SHA-256",
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};
const DAY_MS = 24 * 3_600_000;
const PURPOSES = { email: "1.3.6.1.5.5.7.3.4", server: "1.3.6.1.5.5.7.3.1" } as const;

export interface CertificateWish {
  address: string;
  isExpired?: boolean;
  /** 365 by default. */
  daysLeft?: number;
  purpose?: keyof typeof PURPOSES;
  /** The key of an earlier certificate; a new one by default. */
  keys?: webcrypto.CryptoKeyPair;
}

/** PEM, as PUT …/domains/{domain} takes it. */
export interface SigningPair {
  certificate: string;
  privateKey: string;
}

function validity({ isExpired, daysLeft }: CertificateWish): { notBefore: Date; notAfter: Date } {
  const left = isExpired === true ? -1 : (daysLeft ?? 365);
  return { notBefore: new Date(Date.now() - 10 * DAY_MS), notAfter: new Date(Date.now() + left * DAY_MS) };
}

function extensionsOf({ address, purpose }: CertificateWish): x509.Extension[] {
  return [
    new x509.SubjectAlternativeNameExtension([{ type: "email", value: address }]),
    new x509.ExtendedKeyUsageExtension([PURPOSES[purpose ?? "email"]]),
  ];
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}

/** A certificate that its own key has signed. */
export async function issueCertificate(wish: CertificateWish): Promise<SigningPair> {
  const keys = wish.keys ?? (await webcrypto.subtle.generateKey(EC, true, ["sign", "verify"]));
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=Sender",
    keys,
    signingAlgorithm: EC,
    ...validity(wish),
    extensions: extensionsOf(wish),
  });
  return { certificate: certificate.toString("pem"), privateKey: await pemOf(keys.privateKey) };
}

export const newSigningKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(EC, true, ["sign", "verify"]);

export interface SigningAuthority {
  /** PEM. */
  certificate: string;
  /** An RSA certificate with the intermediate authority that signed it as its chain: who verifies knows the root only. */
  issue(wish: CertificateWish): Promise<SigningPair>;
}

export async function createSigningAuthority(): Promise<SigningAuthority> {
  const [rootKeys, intermediateKeys] = [await newSigningKeys(), await newSigningKeys()];
  const isAuthority = new x509.BasicConstraintsExtension(true, undefined, true);
  const period = validity({ address: "" });
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=Test root",
    keys: rootKeys,
    signingAlgorithm: EC,
    ...period,
    extensions: [isAuthority],
  });
  const intermediate = await x509.X509CertificateGenerator.create({
    subject: "CN=Test intermediate",
    issuer: root.subject,
    publicKey: intermediateKeys.publicKey,
    signingKey: rootKeys.privateKey,
    signingAlgorithm: EC,
    ...period,
    extensions: [isAuthority],
  });
  return {
    certificate: root.toString("pem"),
    issue: async (wish) => {
      const keys = await webcrypto.subtle.generateKey(RSA, true, ["sign", "verify"]);
      const leaf = await x509.X509CertificateGenerator.create({
        subject: "CN=Sender",
        issuer: intermediate.subject,
        publicKey: keys.publicKey,
        signingKey: intermediateKeys.privateKey,
        signingAlgorithm: EC,
        ...validity(wish),
        extensions: extensionsOf(wish),
      });
      const certificate = `${leaf.toString("pem")}\n${intermediate.toString("pem")}\n`;
      return { certificate, privateKey: await pemOf(keys.privateKey) };
    },
  };
}

export type Verdict = { isValid: true; content: Buffer } | { isValid: false; because: string };

/** What `openssl cms -verify` says of a message as it was received, knowing only this authority. */
export function verifyByOpenssl(message: Buffer, authority: string): Verdict {
  const directory = mkdtempSync(join(tmpdir(), "waypost-verify-"));
  try {
    writeFileSync(join(directory, "mail.eml"), message);
    writeFileSync(join(directory, "ca.pem"), authority);
    const words = "cms -verify -in mail.eml -CAfile ca.pem -purpose smimesign -out content".split(" ");
    const { status, stderr } = spawnSync("openssl", words, { cwd: directory });
    if (status !== 0) return { isValid: false, because: stderr.toString() };
    return { isValid: true, content: readFileSync(join(directory, "content")) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
