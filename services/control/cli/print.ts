// Output for reading: tables and timelines. With --json every verb prints the API's answer as it came.

export type Row = Readonly<Record<string, unknown>>;

/** What a terminal obeys, and what turns the direction of a text. */
// oxlint-disable-next-line no-control-regex
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Mail servers, endpoints and applications say what is shown: nothing of it is for the terminal. As JSON it means the same. */
export function visible(text: string): string {
  return text.replace(OBEYED, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** On one line, so that no value looks like a line of its own. */
function cell(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value.replaceAll("\n", " ") : JSON.stringify(value);
}

/** A table with the named columns; a line that says so where there is nothing. */
export function table(rows: readonly Row[], columns: readonly string[], nothing: string): string {
  if (rows.length === 0) return nothing;
  const lines = [
    columns.map((name) => name.toUpperCase()),
    ...rows.map((row) => columns.map((name) => cell(row[name]))),
  ];
  const widths = columns.map((_, index) =>
    lines.reduce((widest, line) => Math.max(widest, (line[index] ?? "").length), 0),
  );
  return lines
    .map((line) =>
      line
        .map((text, index) => text.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** `key: value` lines, objects within indented. */
export function fields(value: Row, indent = ""): string {
  return Object.entries(value)
    .map(([key, item]) => {
      if (Array.isArray(item)) return `${indent}${key}: ${item.map(cell).join(", ")}`;
      if (typeof item === "object" && item !== null) return `${indent}${key}:\n${fields(item as Row, `${indent}  `)}`;
      return `${indent}${key}: ${cell(item)}`;
    })
    .join("\n");
}

interface TimelineMail {
  mailId: string;
  email: string;
  state: string;
  trackingPoints?: readonly unknown[];
}

interface TimelinePoint {
  meta: { event: { ts: string; type: string; subType: string; description?: string } };
  content?: { smtp?: { reason?: string; relay?: string; dsn?: string } };
}

/** One line of a mail's timeline. */
export function pointLine(point: unknown): string {
  const { meta, content } = point as TimelinePoint;
  const smtp = content?.smtp;
  const tail = [
    meta.event.description,
    smtp?.relay === undefined ? undefined : `via ${smtp.relay}`,
    smtp?.dsn === undefined ? undefined : `[${smtp.dsn}]`,
    smtp?.reason,
  ].filter((text) => text !== undefined && text !== "");
  return `  ${meta.event.ts}  ${meta.event.type}/${meta.event.subType}${tail.length > 0 ? `  ${tail.join("  ")}` : ""}`;
}

export function timeline(mail: unknown): string {
  const { mailId, email, state, trackingPoints } = mail as TimelineMail;
  return [`mail ${mailId} to ${email}: ${state}`, ...(trackingPoints ?? []).map(pointLine)].join("\n");
}
