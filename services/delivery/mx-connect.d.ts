// The part of mx-connect that is used: its check of certificates against TLSA records (RFC 6698, RFC 7672).
declare module "mx-connect/lib/dane.js" {
  import type { X509Certificate } from "node:crypto";
  import type { PeerCertificate } from "node:tls";

  export interface Tlsa {
    usage: number;
    selector: number;
    mtype: number;
    cert: Buffer;
  }
  export function createDaneVerifier(
    records: readonly Tlsa[],
    options?: object,
  ): (hostname: string, certificate: PeerCertificate, issuers?: readonly X509Certificate[]) => Error | undefined;
}
