// The header section of a message as it came: where each field begins and ends, so that single ones can be read or
// taken out while every other byte stays as it was. Text is latin1 here: one character is one byte.

export interface HeaderField {
  /** Lower case. */
  name: string;
  /** The value with its folding, without the line end. */
  raw: string;
  /** First byte of the field in the header section. */
  start: number;
  /** First byte after the field and its line end. */
  end: number;
}

export interface HeaderSection {
  fields: readonly HeaderField[];
  /** Bytes up to the empty line, or of the whole message where there is none. */
  length: number;
}

const FIELD_START = /^([!-9;-~]+)[ \t]*:/;

/** Bytes of the header section at the start of `text`: the lines before the empty one. */
function sectionLength(text: string): number {
  if (text.startsWith("\r\n")) return 0;
  const at = text.indexOf("\r\n\r\n");
  return at === -1 ? text.length : at + 2;
}

/** Reads the fields of a header section. Lines that are no field belong to none, and stay where they are. */
export function readHeaderSection(text: string): HeaderSection {
  const length = sectionLength(text);
  const fields: HeaderField[] = [];
  let open: { name: string; valueAt: number; start: number } | undefined;
  const close = (end: number): void => {
    if (open === undefined) return;
    const raw = text.slice(open.valueAt, end).replace(/\r\n$/, "");
    fields.push({ name: open.name, raw, start: open.start, end });
    open = undefined;
  };
  for (let at = 0; at < length;) {
    const lineEnd = text.indexOf("\r\n", at);
    const next = lineEnd === -1 || lineEnd + 2 > length ? length : lineEnd + 2;
    const isContinuation = text[at] === " " || text[at] === "\t";
    if (!isContinuation) {
      close(at);
      const match = FIELD_START.exec(text.slice(at, next));
      if (match?.[1] !== undefined) open = { name: match[1].toLowerCase(), valueAt: at + match[0].length, start: at };
    }
    at = next;
  }
  close(length);
  return { fields, length };
}

/** The value on one line: folding undone (RFC 5322 §2.2.3), outer white space gone. */
export function unfold(raw: string): string {
  return raw.replace(/\r\n(?=[ \t])/g, "").trim();
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a latin1 value whose bytes are UTF-8; undefined where they are not. */
export function decodeUtf8(value: string): string | undefined {
  try {
    return utf8.decode(Buffer.from(value, "latin1"));
  } catch {
    return undefined;
  }
}

const ENCODED_WORDS = /=\?[A-Za-z0-9_.:-]+(?:\*[A-Za-z0-9-]+)?\?[BbQq]\?[!->@-~]*\?=/g;

function decodeWord(word: string): string {
  const [, label = "", encoding = "", text = ""] = word.split("?");
  const charset = label.replace(/\*.*$/, "");
  const bytes =
    encoding.toUpperCase() === "B"
      ? Buffer.from(text, "base64")
      : Buffer.from(
          text
            .replaceAll("_", " ")
            .replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
          "latin1",
        );
  try {
    return new TextDecoder(charset, { fatal: true }).decode(bytes);
  } catch {
    return word;
  }
}

/** Decodes the encoded words (RFC 2047) that mail libraries write where a value is not ASCII. */
export function decodeWords(value: string): string {
  return value.replace(/(\?=)\s+(?==\?)/g, "$1").replace(ENCODED_WORDS, decodeWord);
}
