// What a push notification's POST can be: its URL and the headers that somebody else chose for it. One rule for every door
// that takes them and for the notifier, so that nothing is accepted that is left out later. Pure.
import type { z } from "zod";
import { hasAtMost } from "./characters.ts";
import type { NamedValue } from "./named-values.ts";
import { plainText } from "./job-request-fields.ts";

const MAX_URL_CHARACTERS = 1_000;
const NO_ENDPOINT_URL = "an http or https URL such as https://example.com/hook";
const MOST_IN_VALUE = 16_384;
/** More than web servers take; they travel with each tracking point of the job. */
const MOST_IN_ALL = 65_536;

/** What HTTP or the notifier itself says; nobody else may. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  "baggage",
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
]);
const RESERVED_PREFIXES = ["proxy-", "webhook-"] as const;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** RFC 9110 §5.5: one byte a character, no controls but the tab. */
const SENDABLE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;

/** What is wrong with a header of a push notification, or undefined where it is sent as it is. */
export function mistakeOfNotificationHeader(name: string, value: string): string | undefined {
  if (!TOKEN.test(name)) return "not a header name";
  const lower = name.toLowerCase();
  const isReserved = RESERVED_HEADERS.has(lower) || RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix));
  if (isReserved) return "a reserved header";
  if (!hasAtMost(value, MOST_IN_VALUE)) return `at most ${MOST_IN_VALUE} characters`;
  return SENDABLE.test(value) ? undefined : "characters of Latin-1 alone, no control characters, in a header value";
}

/** What is wrong with all headers of a push notification together, or undefined. */
export function mistakeOfNotificationHeaders(headers: readonly NamedValue[]): string | undefined {
  const sum = headers.reduce((characters, { name, value }) => characters + name.length + value.length, 0);
  return sum <= MOST_IN_ALL ? undefined : `at most ${MOST_IN_ALL} characters in all names and values`;
}

interface UrlOptions {
  /** They are sent as Basic authentication (services/notifier/request.ts). */
  mayHaveCredentials: boolean;
}

/** One that a browser would mend (`https:/host`, `http:///host`, white space, a backslash) leads elsewhere than it reads. */
const UNMENDED = /^https?:\/\/(?!\/)[^\s\p{Cc}\\]+$/iu;

/** Whether a text is a URL that is posted to. */
export function isEndpointUrl(text: string): boolean {
  return UNMENDED.test(text) && URL.canParse(text);
}

/** What is wrong with the URL of an endpoint, or undefined. */
export function mistakeOfEndpointUrl(
  text: string,
  { mayHaveCredentials }: UrlOptions = { mayHaveCredentials: false },
): string | undefined {
  if (!hasAtMost(text, MAX_URL_CHARACTERS)) return `at most ${MAX_URL_CHARACTERS} characters`;
  if (!isEndpointUrl(text)) return NO_ENDPOINT_URL;
  if (mayHaveCredentials) return undefined;
  const { username, password } = new URL(text);
  return username === "" && password === "" ? undefined : "no credentials in the URL: use authentication";
}

export function endpointUrl(options: UrlOptions): z.ZodString {
  return plainText
    .superRefine((text, context) => {
      // What is empty was named by plainText.
      const mistake = text === "" ? undefined : mistakeOfEndpointUrl(text, options);
      if (mistake !== undefined) context.addIssue(mistake);
    })
    .meta({ format: "uri", maxLength: MAX_URL_CHARACTERS });
}
