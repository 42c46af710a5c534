// What was seen of each fault, row by row as it is seen: a line of progress at once, one table of all files at the end of the run
// (test/run.ts), in the form of docs/reliability.md. Kept in a file, for every test file is a process of its own.
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Rows under one heading, all with the same columns. */
export interface Seen {
  title: string;
  head: readonly string[];
  row: readonly (string | number)[];
}

const FILE = "seen.jsonl";

const line = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;

export function noteSeen(directory: string, seen: Seen): void {
  appendFileSync(join(directory, FILE), `${JSON.stringify(seen)}\n`);
  process.stdout.write(`${line(seen.row)}\n`);
}

function rowsOf(directory: string): Seen[] {
  try {
    const lines = readFileSync(join(directory, FILE), "utf8").trim().split("\n");
    return lines.map((text) => JSON.parse(text) as Seen);
  } catch {
    return [];
  }
}

/** As Markdown; "" where no fault was played. */
export function tableOfSeen(directory: string): string {
  const groups = Map.groupBy(rowsOf(directory), ({ title }) => title);
  return [...groups]
    .map(([title, [first, ...more]]) => {
      const head = first?.head ?? [];
      const rows = [first, ...more].map((seen) => line(seen?.row ?? []));
      return [`${title}:`, "", line(head), line(head.map(() => "---")), ...rows].join("\n");
    })
    .join("\n\n");
}
