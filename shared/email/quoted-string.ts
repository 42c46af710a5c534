// Quoted strings (RFC 5322 §3.2.4), as display names and local parts have them.

/** What a text says where it is a quoted string: quotes and backslashes are no part of it. */
export function unquoted(text: string): string {
  if (!text.startsWith('"') || !text.endsWith('"') || text.length < 2) return text;
  return text.slice(1, -1).replaceAll(/\\(.)/gs, "$1");
}
