// The S/MIME certificate of a sender domain: what it covers, until when, and what is wrong with it (contract, Message Signing).
import type { KeyObject } from "node:crypto";
import { createPrivateKey, X509Certificate } from "node:crypto";
import type * as asn1js from "asn1js";
import type * as pkijs from "pkijs";
import { comparableAddress } from "#shared/email/comparable-address.ts";
import { toALabels } from "#shared/email/domain-name.ts";
import { pki } from "./pki.ts";

export interface CertificateFacts {
  subject: string;
  /** Addresses that it covers, spelled as they are compared: rfc822Name of subjectAltName, and emailAddress of the subject. */
  addresses: readonly string[];
  notBefore: Date;
  notAfter: Date;
}

export interface SigningMaterial {
  /** PEM, the signer's certificate first, then its chain. */
  certificate: string;
  /** PEM, in clear. */
  privateKey: string;
}

const OID = {
  emailProtection: "1.3.6.1.5.5.7.3.4",
  anyPurpose: "2.5.29.37.0",
  emailAddress: "1.2.840.113549.1.9.1",
  subjectAltName: "2.5.29.17",
  keyUsage: "2.5.29.15",
} as const;
/** GeneralName's choice of rfc822Name (RFC 5280 §4.2.1.6). */
const RFC822_NAME = 1;
/** Bits of keyUsage (RFC 5280 §4.2.1.3), first octet. */
const DIGITAL_SIGNATURE = 0x80;
const NON_REPUDIATION = 0x40;
/** Node's names of the curves that Web Crypto signs on. */
const CURVES: Readonly<Record<string, string>> = { prime256v1: "P-256", secp384r1: "P-384", secp521r1: "P-521" };
const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Certificates of a PEM text in its order; empty where it holds none that can be read. */
export function readChain(pem: string): X509Certificate[] {
  try {
    return (pem.match(PEM_BLOCK) ?? []).map((block) => new X509Certificate(block));
  } catch {
    return [];
  }
}

function parse(certificate: X509Certificate): pkijs.Certificate {
  return pki().Certificate.fromBER(new Uint8Array(certificate.raw).buffer);
}

function extensionOf(certificate: pkijs.Certificate, id: string): pkijs.Extension | undefined {
  return certificate.extensions?.find((extension) => extension.extnID === id);
}

function alternativeAddresses(certificate: pkijs.Certificate): string[] {
  const names: unknown = extensionOf(certificate, OID.subjectAltName)?.parsedValue;
  const { AltName, GeneralNames } = pki();
  if (!(names instanceof AltName || names instanceof GeneralNames)) return [];
  const general = names instanceof AltName ? names.altNames : names.names;
  return general.filter((name) => name.type === RFC822_NAME).map((name) => String(name.value));
}

/** What a certificate says of itself, or undefined where the text holds none. */
export function certificateFacts(pem: string): CertificateFacts | undefined {
  const [leaf] = readChain(pem);
  if (leaf === undefined) return undefined;
  const parsed = parse(leaf);
  const inSubject = parsed.subject.typesAndValues
    .filter((item) => item.type === OID.emailAddress)
    .map((item) => String(item.value.valueBlock.value));
  const addresses = [...alternativeAddresses(parsed), ...inSubject];
  return {
    subject: leaf.subject.split("\n").join(", "),
    addresses: [...new Set(addresses.map((address) => comparableAddress(address)))],
    notBefore: leaf.validFromDate,
    notAfter: leaf.validToDate,
  };
}

/** Whether the certificate is for this sender; addresses compare without regard to case, U-labels equal to A-labels. */
export function covers(facts: CertificateFacts, sender: string): boolean {
  return facts.addresses.includes(comparableAddress(sender));
}

function purposeProblem(leaf: X509Certificate): string | undefined {
  const purposes: readonly string[] | undefined = leaf.keyUsage;
  if (purposes !== undefined && !purposes.includes(OID.emailProtection) && !purposes.includes(OID.anyPurpose)) {
    return "the certificate is not for e-mail: its extended key usage lacks emailProtection";
  }
  const usage: unknown = extensionOf(parse(leaf), OID.keyUsage)?.parsedValue;
  const bits = usage === undefined ? undefined : (usage as asn1js.BitString).valueBlock.valueHexView[0];
  return bits === undefined || (bits & (DIGITAL_SIGNATURE | NON_REPUDIATION)) !== 0
    ? undefined
    : "the certificate is not for signatures: its key usage lacks digitalSignature";
}

/** How a key signs here, or undefined where it cannot. */
export function signingAlgorithmOf(
  key: KeyObject,
): { name: "ECDSA"; namedCurve: string } | { name: "RSASSA-PKCS1-v1_5"; hash: "SHA-256" } | undefined {
  if (key.asymmetricKeyType === "rsa") return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const namedCurve = CURVES[key.asymmetricKeyDetails?.namedCurve ?? ""];
  return key.asymmetricKeyType === "ec" && namedCurve !== undefined ? { name: "ECDSA", namedCurve } : undefined;
}

function keyProblem(leaf: X509Certificate, privateKey: string): string | undefined {
  try {
    const key = createPrivateKey(privateKey);
    if (!leaf.checkPrivateKey(key)) return "the private key does not belong to the certificate";
    return signingAlgorithmOf(key) === undefined
      ? "the private key cannot sign here: it should be RSA, or elliptic-curve on P-256, P-384 or P-521"
      : undefined;
  } catch {
    return "the private key cannot be read: it should be an unencrypted PEM (PKCS#8, PKCS#1 or SEC1)";
  }
}

/** What keeps a certificate from signing at this time. */
export function validityProblem({ notBefore, notAfter }: CertificateFacts, now: Date): string | undefined {
  if (notAfter <= now) return `the certificate expired on ${notAfter.toISOString()}`;
  return notBefore > now ? `the certificate is not valid before ${notBefore.toISOString()}` : undefined;
}

/** What keeps this material from signing for the domain at any time, a sentence each; empty when nothing does. */
export function materialProblems(material: SigningMaterial, domain: string): string[] {
  const [leaf] = readChain(material.certificate);
  const facts = certificateFacts(material.certificate);
  if (leaf === undefined || facts === undefined)
    return ["the certificate cannot be read: it should be PEM, with its chain"];
  const isOfDomain = facts.addresses.some((address) => address.endsWith(`@${toALabels(domain) ?? domain}`));
  const listed = facts.addresses.length === 0 ? "no address" : facts.addresses.join(", ");
  return [
    isOfDomain ? undefined : `the certificate is for another domain: it covers ${listed}, none of ${domain}`,
    purposeProblem(leaf),
    keyProblem(leaf, material.privateKey),
  ].filter((problem) => problem !== undefined);
}

/** Everything that keeps this material from signing for the domain at this time. */
export function signingProblems(material: SigningMaterial, domain: string, now: Date): string[] {
  const facts = certificateFacts(material.certificate);
  const untimely = facts === undefined ? undefined : validityProblem(facts, now);
  return [...(untimely === undefined ? [] : [untimely]), ...materialProblems(material, domain)];
}
