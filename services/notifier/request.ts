// The POST of a batch as data: exact body, headers, signature (contract, Push notification; Standard Webhooks).
import { createHmac } from "node:crypto";
import type { BatchMessage } from "#shared/contracts/batch.ts";
import { mistakeOfNotificationHeader } from "#shared/contracts/endpoint-rules.ts";
import type { EndpointDetails } from "./endpoint.ts";

export interface PostRequest {
  url: string;
  headers: Readonly<Record<string, string>>;
  body: string;
}

/** What no door takes any more may still be stored: left out, so that the rest is told. */
function customHeaders(details: EndpointDetails): Record<string, string> {
  const usable = details.headers.filter(({ name, value }) => mistakeOfNotificationHeader(name, value) === undefined);
  return Object.fromEntries(usable.map(({ name, value }) => [name.toLowerCase(), value]));
}

function basicAuth(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

/** Credentials in the URL itself count as Basic authentication, as a browser has it; they are not sent in the URL. */
function urlParts(url: string): { url: string; authorization?: string } {
  const parsed = new URL(url);
  if (parsed.username === "" && parsed.password === "") return { url };
  const authorization = basicAuth(decodeURIComponent(parsed.username), decodeURIComponent(parsed.password));
  parsed.username = "";
  parsed.password = "";
  return { url: parsed.href, authorization };
}

/** A signature for each secret that is valid: whoever still has the previous one can verify too. */
function signatureHeaders(id: string, body: string, terms: { secrets: readonly string[]; now: Date }) {
  if (terms.secrets.length === 0) return {};
  const seconds = Math.floor(terms.now.getTime() / 1_000);
  const sign = (secret: string): string => {
    const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
    return `v1,${createHmac("sha256", key).update(`${id}.${seconds}.`).update(body).digest("base64")}`;
  };
  return {
    "webhook-timestamp": String(seconds),
    "webhook-signature": terms.secrets.map(sign).join(" "),
  };
}

/** The request for a batch. `trace` holds the headers of the context that the receiver may continue. */
export function requestOf(
  batch: Pick<BatchMessage, "batchId" | "push">,
  details: EndpointDetails,
  facts: { now: Date; trace: Readonly<Record<string, string>> },
): PostRequest {
  const body = JSON.stringify(batch.push);
  const { url, authorization } = urlParts(details.url);
  return {
    url,
    headers: {
      "user-agent": "Waypost",
      ...(authorization === undefined ? {} : { authorization }),
      ...customHeaders(details),
      ...(details.basic === undefined ? {} : { authorization: basicAuth(details.basic.user, details.basic.password) }),
      "content-type": "application/json",
      "webhook-id": batch.batchId,
      ...signatureHeaders(batch.batchId, body, { secrets: details.signingSecrets, now: facts.now }),
      ...facts.trace,
    },
    body,
  };
}
