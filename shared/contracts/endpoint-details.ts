// A job's own endpoint for its push notifications: in a JobRequest, and from the control headers of SMTP.
// Travels sealed as JSON in `head.endpoint`; replaces the account's defaults as a whole (contract, JobRequest over SMTP).
import { z } from "zod";
import { freeMap, headerText, plainText } from "./job-request-fields.ts";

export const MAX_URL_CHARACTERS = 1_000;

/** What the HTTP client or the notifier itself says; no application may. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "host",
  "keep-alive",
  "te",
  "traceparent",
  "tracestate",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "webhook-id",
  "webhook-signature",
  "webhook-timestamp",
]);

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** What is wrong with the name of a notification header, or undefined. */
export function mistakeOfNotificationHeader(name: string): string | undefined {
  if (!TOKEN.test(name)) return "not a header name";
  const lower = name.toLowerCase();
  return RESERVED_HEADERS.has(lower) || lower.startsWith("proxy-") ? "a reserved header" : undefined;
}

/** What is wrong with the URL of an endpoint, or undefined. */
export function mistakeOfEndpointUrl(text: string): string | undefined {
  if (text.length > MAX_URL_CHARACTERS) return `at most ${MAX_URL_CHARACTERS} characters`;
  if (!URL.canParse(text)) return "not a URL";
  const url = new URL(text);
  if (!["http:", "https:"].includes(url.protocol)) return "an http or https URL";
  return url.username === "" && url.password === "" ? undefined : "no credentials in the URL: use authentication";
}

const url = plainText
  .superRefine((text, context) => {
    const mistake = mistakeOfEndpointUrl(text);
    if (mistake !== undefined) context.addIssue(mistake);
  })
  .meta({ format: "uri", maxLength: MAX_URL_CHARACTERS });

const AUTHORIZATION_TWICE = "Authorization beside authentication";

export const endpointDetailsSchema = z
  .strictObject({
    url,
    headers: freeMap(mistakeOfNotificationHeader).optional(),
    authentication: z
      .strictObject({
        method: z.literal("BASIC"),
        user: headerText.refine((user) => !user.includes(":"), { error: "no colon in the user" }),
        password: headerText,
      })
      .optional(),
  })
  .superRefine((endpoint, context) => {
    const names = (endpoint.headers ?? []).map(({ name }) => name);
    const given = names.find((name) => name.toLowerCase() === "authorization");
    if (given !== undefined && endpoint.authentication !== undefined) {
      context.addIssue({ code: "custom", path: ["headers", given], message: AUTHORIZATION_TWICE });
    }
  });
export type EndpointDetails = z.output<typeof endpointDetailsSchema>;
