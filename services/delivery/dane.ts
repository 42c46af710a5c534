// DANE for SMTP (RFC 7672): what the TLSA records of a mail exchanger demand of its certificate. Usages 2 (trust anchor) and 3
// (the server's own certificate) count; 0 and 1 are unusable for SMTP, as are records of kinds that nobody knows: where nothing else
// is there, TLS without authentication.
import { X509Certificate } from "node:crypto";
import type { DetailedPeerCertificate, PeerCertificate } from "node:tls";
import { checkServerIdentity } from "node:tls";
import { createDaneVerifier } from "mx-connect/lib/dane.js";
import type { TlsaRecord } from "#shared/network/resolver.ts";
import type { CertificateCheck } from "./tls.ts";

const TRUST_ANCHOR = 2;
const END_ENTITY = 3;
/** By matching type (RFC 6698 §2.1.3): SHA-256, SHA-512. */
const DIGEST_BYTES: Readonly<Record<number, number>> = { 1: 32, 2: 64 };

function isUsable({ selector, matchingType, cert }: TlsaRecord): boolean {
  return selector <= 1 && (matchingType === 0 || cert.length === DIGEST_BYTES[matchingType]);
}

function isDetailed(certificate: PeerCertificate): certificate is DetailedPeerCertificate {
  return "issuerCertificate" in certificate;
}

/** What the server sent behind its own certificate, up to one that names itself as its issuer. */
function issuersOf(certificate: PeerCertificate): X509Certificate[] {
  const issuers: X509Certificate[] = [];
  let last = certificate;
  while (isDetailed(last)) {
    const issuer: PeerCertificate | undefined = last.issuerCertificate;
    if (issuer === undefined || issuer.fingerprint256 === last.fingerprint256) break;
    issuers.push(new X509Certificate(issuer.raw));
    last = issuer;
  }
  return issuers;
}

function isInForce({ valid_from: from, valid_to: to }: PeerCertificate, nowMs: number): boolean {
  return Date.parse(from) <= nowMs && nowMs <= Date.parse(to);
}

/**
 * Names and times count under a trust anchor, and not where the certificate itself is published (RFC 7672 §3.1.1, §3.2).
 * Undefined where no record is usable.
 */
export function daneCheck(records: readonly TlsaRecord[], nowMs: () => number): CertificateCheck | undefined {
  const ofUsage = (usage: number) =>
    records
      .filter((record) => record.usage === usage && isUsable(record))
      .map(({ selector, matchingType, cert }) => ({ usage, selector, mtype: matchingType, cert }));
  const own = ofUsage(END_ENTITY);
  const anchors = ofUsage(TRUST_ANCHOR);
  if (own.length + anchors.length === 0) return undefined;
  const checkOwn = createDaneVerifier(own);
  const checkAnchors = createDaneVerifier(anchors);
  return (host, certificate) => {
    const byItself = own.length === 0 ? undefined : checkOwn(host, certificate);
    if (own.length > 0 && byItself === undefined) return undefined;
    if (anchors.length === 0) return byItself?.message;
    if (!isInForce(certificate, nowMs())) return `DANE verification failed for ${host}: the certificate is out of date`;
    const byAnchor = checkAnchors(host, certificate, issuersOf(certificate)) ?? checkServerIdentity(host, certificate);
    return byAnchor?.message;
  };
}
