// TLS of the SMTP listeners: the operator's certificate, or a self-signed pair that lives as long as the process.
import { randomBytes, webcrypto } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { Integer, Utf8String } from "asn1js";
import { AttributeTypeAndValue, Certificate, Extension, GeneralName, GeneralNames } from "pkijs";
import type { Clock } from "#shared/clock.ts";

export interface TlsPair {
  cert: string;
  key: string;
  /** Made here: clients cannot verify it. */
  isSelfSigned: boolean;
}

export type TlsResult = { ok: true; pair: TlsPair } | { ok: false; problems: readonly string[] };

const VALID_DAYS = 397;
const DAY_MS = 86_400_000;
const SERIAL_BYTES = 16;
const COMMON_NAME = "2.5.4.3";
const SUBJECT_ALTERNATIVE_NAME = "2.5.29.17";
const DNS_NAME = 2;

function pemOf(label: string, der: ArrayBuffer): string {
  const base64 = Buffer.from(der).toString("base64");
  return [`-----BEGIN ${label}-----`, ...(base64.match(/.{1,64}/g) ?? []), `-----END ${label}-----`, ""].join("\n");
}

/** Positive, and without a zero byte in front, which DER forbids. */
export function serialOf(random: Uint8Array): ArrayBuffer {
  return Uint8Array.from(random, (byte, index) => (index === 0 ? (byte & 0x3f) | 0x40 : byte)).buffer;
}

function describeCertificate(hostname: string, nowMs: number): Certificate {
  const certificate = new Certificate();
  certificate.version = 2;
  certificate.serialNumber = new Integer({ valueHex: serialOf(randomBytes(SERIAL_BYTES)) });
  const name = new AttributeTypeAndValue({ type: COMMON_NAME, value: new Utf8String({ value: hostname }) });
  certificate.subject.typesAndValues.push(name);
  certificate.issuer.typesAndValues.push(name);
  certificate.notBefore.value = new Date(nowMs - DAY_MS);
  certificate.notAfter.value = new Date(nowMs + VALID_DAYS * DAY_MS);
  const names = new GeneralNames({ names: [new GeneralName({ type: DNS_NAME, value: hostname })] });
  const extnValue = names.toSchema().toBER(false);
  certificate.extensions = [new Extension({ extnID: SUBJECT_ALTERNATIVE_NAME, critical: false, extnValue })];
  return certificate;
}

export async function makeSelfSigned(hostname: string, clock: Clock): Promise<TlsPair> {
  const keys = await webcrypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const certificate = describeCertificate(hostname, clock.nowMs());
  await certificate.subjectPublicKeyInfo.importKey(keys.publicKey);
  await certificate.sign(keys.privateKey, "SHA-256");
  return {
    cert: pemOf("CERTIFICATE", certificate.toSchema(true).toBER(false)),
    key: pemOf("PRIVATE KEY", await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)),
    isSelfSigned: true,
  };
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
      problems: [`WAYPOST_SMTP_TLS_${missing} is not set: it is needed beside WAYPOST_SMTP_TLS_${other}`],
    };
  }
  const cert = await readPem("WAYPOST_SMTP_TLS_CERT", files.cert);
  const key = await readPem("WAYPOST_SMTP_TLS_KEY", files.key);
  if ("problem" in cert || "problem" in key) {
    return { ok: false, problems: [cert, key].flatMap((read) => ("problem" in read ? [read.problem] : [])) };
  }
  try {
    createSecureContext({ cert: cert.pem, key: key.pem });
  } catch {
    return {
      ok: false,
      problems: ["WAYPOST_SMTP_TLS_CERT and WAYPOST_SMTP_TLS_KEY should be a PEM pair that belongs together"],
    };
  }
  return { ok: true, pair: { cert: cert.pem, key: key.pem, isSelfSigned: false } };
}
