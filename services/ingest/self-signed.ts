// A self-signed certificate for the SMTP listeners, where the operator has set none. Loaded only then: the library that
// writes certificates is large.
import { randomBytes, webcrypto } from "node:crypto";
import { Integer, Utf8String } from "asn1js";
import { AttributeTypeAndValue, Certificate, Extension, GeneralName, GeneralNames } from "pkijs";
import type { Clock } from "#shared/clock.ts";
import type { TlsPair } from "./smtp-tls.ts";

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
