// Quoted strings (RFC 5322 §3.2.4), as display names and local parts have them. Each look at a text is one pass over it.

/** Up to the end of the text where nobody closes it. */
const QUOTED_STRING = /"(?:[^"\\]|\\.?)*("|$)@?/gs;

/** What a text says where it is a quoted string: quotes and backslashes are no part of it. */
export function unquoted(text: string): string {
  if (!text.startsWith('"') || !text.endsWith('"') || text.length < 2) return text;
  return text.slice(1, -1).replaceAll(/\\(.)/gs, "$1");
}

/** The text without its quoted strings, but for those that are local parts. Quotes that nobody closes are none. */
export function withoutQuotedStrings(text: string): string {
  return text.replaceAll(QUOTED_STRING, (found: string, end: string) =>
    end === "" || found.endsWith("@") ? found : "",
  );
}
