// What a customer's endpoint is told in the bench: counts the ends of mails, and how long each took from its acceptance.
import { Worker } from "node:worker_threads";
import { eventually } from "#test/support/eventually.ts";

export interface Told {
  readonly url: string;
  /** Milliseconds from acceptance to the POST that told of the end, mail by mail. */
  readonly lives: readonly number[];
  reached(count: number, timeoutMs: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startTold(): Promise<Told> {
  const worker = new Worker(new URL("./told.worker.ts", import.meta.url));
  const lives: number[] = [];
  const opened = Promise.withResolvers<string>();
  worker.on("message", (said: string | number[]) => {
    if (typeof said === "string") opened.resolve(said);
    else for (const life of said) lives.push(life);
  });
  return {
    url: await opened.promise,
    lives,
    reached: async (count, timeoutMs) => void (await eventually(() => lives.length >= count, timeoutMs)),
    stop: async () => void (await worker.terminate()),
  };
}
