// What a verb gets: the client, and how to print.
import type { Command } from "commander";
import type { Client, Query } from "./client.ts";
import { Misuse } from "./client.ts";
import type { FoundSystem } from "./connection.ts";

export interface Output {
  write(text: string): void;
  isJson: boolean;
}

export interface CliContext {
  client: Client;
  system: FoundSystem;
  output: Output;
}

/** Runs a verb with its context; main.ts turns what it throws into an exit code. */
export type Run = (work: (context: CliContext) => Promise<void>) => Promise<void>;

export interface Verbs {
  program: Command;
  run: Run;
}

/** Prints an answer: as JSON with --json, otherwise as the verb reads it. */
export function show(output: Output, answer: unknown, read: (answer: never) => string): void {
  output.write(output.isJson ? JSON.stringify(answer, null, 2) : read(answer as never));
}

/** All of a list, page by page, as one answer. */
export async function readAll(client: Client, path: string, query: Query = {}): Promise<{ items: unknown[] }> {
  const items: unknown[] = [];
  for (let cursor: string | undefined; ;) {
    const page = (await client.get(path, { limit: "1000", ...query, cursor })) as { items: unknown[]; cursor?: string };
    items.push(...page.items);
    if (page.cursor === undefined) return { items };
    cursor = page.cursor;
  }
}

const NO_SEGMENTS: readonly string[] = ["", ".", ".."];

/**
 * A segment of a path. Dot segments are resolved before anybody is asked, however they are encoded: what was said of a
 * recipient `..` would be done to the account.
 */
export function encode(text: string): string {
  if (NO_SEGMENTS.includes(text)) throw new Misuse(`${JSON.stringify(text)} names nothing`);
  return encodeURIComponent(text);
}

/** Collects a repeatable option. */
export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

/** An object without the keys that were not given. */
export function given(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
