// Makes a collection's indexes at a service's start, whenever the database comes to be there: services may start before it.
import type { Clock } from "#shared/clock.ts";
import { isRetriable } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";

const AGAIN_MS = 1_000;

/** Runs `prepare` until it succeeds. What is no fault of the database is logged, and tried again as well. */
export function prepareWhenThere(
  prepare: () => Promise<void>,
  { clock, log }: { clock: Clock; log: Log },
): { stop(): void } {
  const stopped = new AbortController();
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      try {
        return await prepare();
      } catch (error) {
        if (!isRetriable(error)) log.error({ err: error }, "store.prepare_failed");
        await clock.sleep(AGAIN_MS, stopped.signal).catch(() => undefined);
      }
    }
  };
  void run();
  return { stop: () => stopped.abort() };
}
