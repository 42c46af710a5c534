// TLS of the SMTP listeners: the operator's certificate, or a self-signed pair that lives as long as the process.
import { webcrypto } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { X509CertificateGenerator, SubjectAlternativeNameExtension } from "@peculiar/x509";
import type { Clock } from "#shared/clock.ts";

export interface TlsPair {
  cert: string;
  key: string;
  /** Made here: clients cannot verify it. */
  isSelfSigned: boolean;
}

export type TlsResult = { ok: true; pair: TlsPair } | { ok: false; problem: string };

const VALID_DAYS = 397;
const DAY_MS = 86_400_000;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

function pemOf(der: ArrayBuffer): string {
  const lines = Buffer.from(der)
    .toString("base64")
    .replace(/.{64}/g, (line) => `${line}\n`);
  return `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`;
}

export async function makeSelfSigned(hostname: string, clock: Clock): Promise<TlsPair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const now = clock.nowMs();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${hostname}`,
    notBefore: new Date(now - DAY_MS),
    notAfter: new Date(now + VALID_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [new SubjectAlternativeNameExtension([{ type: "dns", value: hostname }])],
  });
  const key = pemOf(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  return { cert: certificate.toString("pem"), key, isSelfSigned: true };
}

async function readPem(setting: string, path: string): Promise<{ pem: string } | { problem: string }> {
  try {
    return { pem: await readFile(path, "utf8") };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    return { problem: `${setting} is ${JSON.stringify(path)}: it should be a readable PEM file (${code})` };
  }
}

/** The pair that the settings name, checked to belong together; undefined settings make one. */
export async function loadTls(
  files: { cert?: string | undefined; key?: string | undefined },
  hostname: string,
  clock: Clock,
): Promise<TlsResult> {
  if (files.cert === undefined && files.key === undefined)
    return { ok: true, pair: await makeSelfSigned(hostname, clock) };
  if (files.cert === undefined || files.key === undefined) {
    const [missing, other] = files.cert === undefined ? ["CERT", "KEY"] : ["KEY", "CERT"];
    return {
      ok: false,
      problem: `WAYPOST_SMTP_TLS_${missing} is not set: it is needed beside WAYPOST_SMTP_TLS_${other}`,
    };
  }
  const cert = await readPem("WAYPOST_SMTP_TLS_CERT", files.cert);
  if ("problem" in cert) return { ok: false, problem: cert.problem };
  const key = await readPem("WAYPOST_SMTP_TLS_KEY", files.key);
  if ("problem" in key) return { ok: false, problem: key.problem };
  try {
    createSecureContext({ cert: cert.pem, key: key.pem });
  } catch {
    return {
      ok: false,
      problem: "WAYPOST_SMTP_TLS_CERT and WAYPOST_SMTP_TLS_KEY should be a PEM pair that belongs together",
    };
  }
  return { ok: true, pair: { cert: cert.pem, key: key.pem, isSelfSigned: false } };
}
