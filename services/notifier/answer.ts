// What an endpoint's answer, or its lack, means for the batch and for the endpoint: one table.
//
//   2xx                  delivered
//   410                  gone: the endpoint is switched off
//   429, 503             wait: as Retry-After says, else as the ladder says
//   anything else        failed: tried again as the ladder says (3xx: redirects are not followed)
//   no answer            failed, and the endpoint is slowed at once

export type PostOutcome =
  | { kind: "delivered"; status: number }
  | { kind: "gone"; status: number; reason: string }
  | { kind: "wait"; status: number; reason: string; retryAfterMs: number | undefined }
  | { kind: "failed"; status: number; reason: string };

const MOST_RETRY_AFTER_MS = 24 * 3_600_000;

/** Milliseconds of a Retry-After: seconds, or an HTTP date. Undefined where it says nothing usable. */
export function parseRetryAfter(value: string | undefined, now: Date): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now.getTime();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MOST_RETRY_AFTER_MS) : undefined;
}

export function outcomeOfAnswer(answer: { status: number; retryAfter: string | undefined }, now: Date): PostOutcome {
  const { status } = answer;
  if (status >= 200 && status < 300) return { kind: "delivered", status };
  if (status === 410) return { kind: "gone", status, reason: "410: the endpoint is gone and was switched off" };
  if (status === 429 || status === 503) {
    const retryAfterMs = parseRetryAfter(answer.retryAfter, now);
    return { kind: "wait", status, reason: `${status}: the endpoint asks to wait`, retryAfterMs };
  }
  if (status >= 300 && status < 400) {
    return { kind: "failed", status, reason: `${status}: a redirect, which is not followed` };
  }
  return { kind: "failed", status, reason: `${status}: not a success` };
}

/** Words for what went wrong on the way, by the code of the error. */
const CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by the endpoint",
  EPIPE: "connection reset by the endpoint",
  UND_ERR_SOCKET: "connection closed before the answer",
  UND_ERR_HEADERS_TIMEOUT: "no answer in time",
  UND_ERR_CONNECT_TIMEOUT: "no connection in time",
  UND_ERR_HEADERS_OVERFLOW: "headers of the answer too long",
  ETIMEDOUT: "no connection in time",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  DEPTH_ZERO_SELF_SIGNED_CERT: "TLS: the certificate is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "TLS: the certificate chain is self-signed",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "TLS: the certificate's issuer is not known",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "TLS: the certificate's issuer is not known",
  CERT_HAS_EXPIRED: "TLS: the certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "TLS: the certificate is for another name",
};

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

export function outcomeOfError(error: unknown): PostOutcome {
  const code = codeOf(error);
  const isTimeout = error instanceof Error && (error.name === "TimeoutError" || error.name === "AbortError");
  if (isTimeout) return { kind: "failed", status: 0, reason: "no answer in time" };
  if (error instanceof EndpointRefused) return { kind: "failed", status: 0, reason: error.message };
  const known = code === undefined ? undefined : CAUSES[code];
  if (known !== undefined) return { kind: "failed", status: 0, reason: known };
  if (error instanceof Error && error.name === "HTTPParserError")
    return { kind: "failed", status: 0, reason: "the answer is no HTTP" };
  if (code === "EPROTO" || code?.startsWith("ERR_SSL_") === true)
    return { kind: "failed", status: 0, reason: `TLS: the handshake failed (${code})` };
  const words = code ?? (error instanceof Error ? error.name : "unknown");
  return { kind: "failed", status: 0, reason: `no usable answer (${words})` };
}

/** The host does not resolve, or only to networks that may not be connected to. */
export class EndpointRefused extends Error {
  override readonly name = "EndpointRefused";
}
