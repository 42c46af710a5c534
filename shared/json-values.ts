// How many values a JSON text has, before it is read as JSON: each becomes an object of some 100 bytes, and each may be a
// mistake of some 300 more, so that a few megabytes of `{},{},…` would take all the memory that a service has.

/** No message of ours comes near; a job of 1,000 recipients has 100 for each. */
export const MOST_JSON_VALUES = 100_000;

const [QUOTE, BACKSLASH, COMMA, OPEN_LIST, OPEN_MAP] = [0x22, 0x5c, 0x2c, 0x5b, 0x7b];

/** Whether a text has at most MOST_JSON_VALUES: each begins the text, a list or a map, or stands behind a comma. */
export function hasFewValues(json: Buffer): boolean {
  // Two values have a byte between them.
  if (json.length < 2 * MOST_JSON_VALUES) return true;
  let values = 1;
  for (let at = 0; at < json.length && values <= MOST_JSON_VALUES; at += 1) {
    const byte = json[at];
    if (byte === QUOTE) at = endOfString(json, at + 1);
    else if (byte === COMMA || byte === OPEN_LIST || byte === OPEN_MAP) values += 1;
  }
  return values <= MOST_JSON_VALUES;
}

/** Where the quote stands that ends a string; the end of the text where none does. */
function endOfString(json: Buffer, start: number): number {
  for (let end = json.indexOf(QUOTE, start); end !== -1; end = json.indexOf(QUOTE, end + 1)) {
    let backslashes = 0;
    while (json[end - 1 - backslashes] === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return json.length;
}
