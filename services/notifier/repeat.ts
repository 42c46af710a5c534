// Work that a replica does every so often until it stops; a fault of a backing service waits for the next time.
import type { Clock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";

export interface RepeatOptions {
  clock: Clock;
  log: Log;
  signal: AbortSignal;
  everyMs: number;
  /** For the log. */
  name: string;
}

async function runForEver(options: RepeatOptions, work: () => Promise<unknown>): Promise<void> {
  const { clock, log, signal, everyMs, name } = options;
  while (!signal.aborted) {
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) log.warn({ work: name, err: error }, "notifier.repeat_failed");
    }
    await clock.sleep(everyMs, signal).catch(() => undefined);
  }
}

/** Begins at once; ends when the signal aborts. */
export function repeat(options: RepeatOptions, work: () => Promise<unknown>): void {
  void runForEver(options, work);
}
