// S/MIME certificates for tests, made by the library that also reads them.
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 24 * 3_600_000;
const PURPOSES = { email: "1.3.6.1.5.5.7.3.4", server: "1.3.6.1.5.5.7.3.1" } as const;

export interface CertificateWish {
  address: string;
  isExpired?: boolean;
  purpose?: keyof typeof PURPOSES;
}

/** PEM, as PUT …/domains/{domain} takes it. */
export async function issueCertificate(wish: CertificateWish): Promise<{ certificate: string; privateKey: string }> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const notAfter = new Date(Date.now() + (wish.isExpired === true ? -DAY_MS : 365 * DAY_MS));
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=Sender",
    keys,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(Date.now() - 10 * DAY_MS),
    notAfter,
    extensions: [
      new x509.SubjectAlternativeNameExtension([{ type: "email", value: wish.address }]),
      new x509.ExtendedKeyUsageExtension([PURPOSES[wish.purpose ?? "email"]]),
    ],
  });
  const exported = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { certificate: certificate.toString("pem"), privateKey: x509.PemConverter.encode(exported, "PRIVATE KEY") };
}
