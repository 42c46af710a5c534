// The S/MIME certificate of a sender domain: what it covers, until when, and what is wrong with it (contract, Message Signing).
import { createPrivateKey, X509Certificate } from "node:crypto";
import type * as asn1js from "asn1js";
import * as pkijs from "pkijs";

export interface CertificateFacts {
  subject: string;
  /** Lower-case addresses that it covers: rfc822Name of subjectAltName, and emailAddress of the subject. */
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
  return pkijs.Certificate.fromBER(new Uint8Array(certificate.raw).buffer);
}

function extensionOf(certificate: pkijs.Certificate, id: string): pkijs.Extension | undefined {
  return certificate.extensions?.find((extension) => extension.extnID === id);
}

function alternativeAddresses(certificate: pkijs.Certificate): string[] {
  const names: unknown = extensionOf(certificate, OID.subjectAltName)?.parsedValue;
  if (!(names instanceof pkijs.AltName || names instanceof pkijs.GeneralNames)) return [];
  const general = names instanceof pkijs.AltName ? names.altNames : names.names;
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
    addresses: [...new Set(addresses.map((address) => address.toLowerCase()))],
    notBefore: leaf.validFromDate,
    notAfter: leaf.validToDate,
  };
}

/** Whether the certificate is for this sender; addresses compare without regard to case. */
export function covers(facts: CertificateFacts, sender: string): boolean {
  return facts.addresses.includes(sender.toLowerCase());
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

function keyProblem(leaf: X509Certificate, privateKey: string): string | undefined {
  try {
    return leaf.checkPrivateKey(createPrivateKey(privateKey))
      ? undefined
      : "the private key does not belong to the certificate";
  } catch {
    return "the private key cannot be read: it should be an unencrypted PEM (PKCS#8, PKCS#1 or SEC1)";
  }
}

/** Everything that keeps this material from signing for the domain at this time, a sentence each; empty when nothing does. */
export function signingProblems(material: SigningMaterial, domain: string, now: Date): string[] {
  const [leaf] = readChain(material.certificate);
  const facts = certificateFacts(material.certificate);
  if (leaf === undefined || facts === undefined)
    return ["the certificate cannot be read: it should be PEM, with its chain"];
  const isOfDomain = facts.addresses.some((address) => address.endsWith(`@${domain.toLowerCase()}`));
  const listed = facts.addresses.length === 0 ? "no address" : facts.addresses.join(", ");
  return [
    facts.notAfter <= now ? `the certificate expired on ${facts.notAfter.toISOString()}` : undefined,
    facts.notBefore > now ? `the certificate is not valid before ${facts.notBefore.toISOString()}` : undefined,
    isOfDomain ? undefined : `the certificate is for another domain: it covers ${listed}, none of ${domain}`,
    purposeProblem(leaf),
    keyProblem(leaf, material.privateKey),
  ].filter((problem) => problem !== undefined);
}
