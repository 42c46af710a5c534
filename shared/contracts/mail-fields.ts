// Which values the mail fields of a JobRequest may have where they become structured header fields.

/** Fields that Waypost writes itself, or that tell of a mail's way: no application may. */
const RESERVED_X_HEADERS: ReadonlySet<string> = new Set([
  "authentication-results",
  "bcc",
  "cc",
  "date",
  "delivered-to",
  "dkim-signature",
  "domainkey-signature",
  "from",
  "importance",
  "in-reply-to",
  "list-unsubscribe",
  "list-unsubscribe-post",
  "message-id",
  "mime-version",
  "received",
  "received-spf",
  "references",
  "reply-to",
  "return-path",
  "sender",
  "subject",
  "to",
  "x-msmail-priority",
  "x-original-to",
  "x-priority",
]);
const RESERVED_PREFIXES = ["content-", "resent-", "arc-"] as const;
/** ftext of RFC 5322 §3.6.8; longer names leave no room for a value in a line. */
const FIELD_NAME = /^[!-9;-~]{1,76}$/;

/** What is wrong with the name of an xHeader, or undefined. */
export function mistakeOfXHeader(name: string): string | undefined {
  if (!FIELD_NAME.test(name)) return "not a header name";
  const lower = name.toLowerCase();
  const isReserved = RESERVED_X_HEADERS.has(lower) || RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix));
  return isReserved ? "a reserved header" : undefined;
}

const MESSAGE_ID = /^<?[!-;=?-~]+>?$/;

/** Ids of a field, each in angle brackets. */
export function messageIdsOf(text: string): string[] {
  const separate = text.replaceAll("><", "> <").trim().split(/\s+/);
  return separate.map((id) => `<${id.replace(/^</, "").replace(/>$/, "")}>`);
}

/** What is wrong with `inReplyTo`, one or several message ids with or without angle brackets; undefined where nothing is. */
export function mistakeOfMessageIds(text: string): string | undefined {
  const ids = text.replaceAll("><", "> <").trim().split(/\s+/);
  return ids.every((id) => MESSAGE_ID.test(id)) ? undefined : "a message id such as <id@example.com>";
}

/** The URIs of `listUnsubscribe`: `<…>, <…>` as RFC 2369 has them, or bare ones. */
export function unsubscribeUrisOf(text: string): string[] {
  const bracketed = [...text.matchAll(/<([^<>]*)>/g)].map((match) => (match[1] ?? "").trim());
  return bracketed.length > 0 ? bracketed : [text.trim()];
}

const UNSUBSCRIBE_PROTOCOLS = ["https:", "http:", "mailto:"];

/** What is wrong with `listUnsubscribe`, or undefined. */
export function mistakeOfListUnsubscribe(text: string): string | undefined {
  const isList = /^\s*<[^<>]*>(?:\s*,\s*<[^<>]*>)*\s*$/.test(text);
  const uris = unsubscribeUrisOf(text);
  const isUri = (uri: string): boolean =>
    /^[!-~]+$/.test(uri) && URL.canParse(uri) && UNSUBSCRIBE_PROTOCOLS.includes(new URL(uri).protocol);
  if ((isList || !/[<>]/.test(text)) && uris.every(isUri)) return undefined;
  return "mailto, http or https URIs, e.g. <https://example.com/unsubscribe>, <mailto:leave@example.com>";
}
