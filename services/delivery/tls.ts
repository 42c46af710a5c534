// TLS towards relays and mail exchangers: what each mode asks for, and what came of it. At least TLS 1.2, whatever the mode.
import type { Socket } from "node:net";
import { isIP } from "node:net";
import type { PeerCertificate } from "node:tls";
import { TLSSocket } from "node:tls";
import type { AttemptResult } from "#shared/contracts/attempt.ts";
import { cleanText } from "#shared/email/reply.ts";
import type { TlsMode } from "#shared/routing/configuration.ts";

export type TlsFacts = NonNullable<AttemptResult["tls"]>;

/** Says why a certificate is refused; undefined where it is good. */
export type CertificateCheck = (host: string, certificate: PeerCertificate) => string | undefined;

export interface CertificateFacts {
  subject: string;
  issuer: string;
  validTo: string;
}

const LEAST_VERSION = "TLSv1.2";

/** The options of SMTPConnection for a mode; on port 465 it speaks TLS from the first byte (RFC 8314 §3.3) by itself. */
export function tlsOptionsOf({ tls, host }: { tls: TlsMode; host: string }) {
  // An MX record may name an address, which SNI cannot carry (RFC 6066 §3): Node throws.
  const sni = isIP(host) === 0 ? { servername: host } : {};
  const options = { minVersion: LEAST_VERSION, ...sni, rejectUnauthorized: tls === "verified" } as const;
  switch (tls) {
    case "never":
      return { ignoreTLS: true, secure: false };
    case "opportunistic":
      return { opportunisticTLS: true, tls: options, ...sni };
    case "required":
    case "verified":
      return { requireTLS: true, tls: options, ...sni };
  }
}

type MaybeSocket = Socket | false | null;

/** A handshake that failed leaves a TLS socket without a session behind. */
function hasSession(socket: MaybeSocket): socket is TLSSocket {
  return socket instanceof TLSSocket && !socket.destroyed && Object.keys(socket.getCipher() ?? {}).length > 0;
}

export function tlsFactsOf(mode: TlsMode, socket: MaybeSocket): TlsFacts {
  const requested = mode !== "never";
  if (!hasSession(socket)) return { requested, established: false };
  const protocol = (socket.getProtocol() ?? "").replace(/^TLSv1$/, "TLSv1.0").replace("TLSv", "TLS");
  return { requested, established: true, protocol, cipherSuite: socket.getCipher().standardName };
}

function nameIn(name: PeerCertificate["subject"]): string {
  const parts = Object.entries(name).map(([key, value]) => `${key}=${String(value)}`);
  return cleanText(parts.join(", "));
}

export function certificateFactsOf(socket: MaybeSocket): CertificateFacts | undefined {
  if (!hasSession(socket)) return undefined;
  const certificate = socket.getPeerCertificate();
  if (Object.keys(certificate).length === 0) return undefined;
  return { subject: nameIn(certificate.subject), issuer: nameIn(certificate.issuer), validTo: certificate.valid_to };
}

export function checkCertificate(
  check: CertificateCheck | undefined,
  host: string,
  socket: MaybeSocket,
): string | undefined {
  if (check === undefined) return undefined;
  if (!hasSession(socket)) return "there is no TLS";
  return check(host, socket.getPeerCertificate(true));
}
