// Asks whoever is at the terminal.
import { createInterface } from "node:readline";

export interface Terminal {
  input: NodeJS.ReadableStream;
  output: NodeJS.WritableStream;
}

/** Whether the first line says yes. An input that ends without one says no. */
export async function confirmed(question: string, terminal: Terminal): Promise<boolean> {
  const lines = createInterface({ ...terminal, prompt: question });
  lines.prompt();
  for await (const line of lines) return /^y(es)?$/i.test(line.trim());
  return false;
}
