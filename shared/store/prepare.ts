// Makes a collection's indexes, whenever the database comes to be there: services may start before it, and it may be emptied.
import type { Clock } from "#shared/clock.ts";
import { isRetriable } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";

const AGAIN_MS = 1_000;
/** A database that was set up anew has no indexes, and without those nothing expires. One that has them does nothing. */
const STILL_THERE_MS = 10 * 60_000;

/** Runs `prepare` now and then, and at once again when it fails. What is no fault of the database is logged as well. */
export function prepareWhenThere(
  prepare: () => Promise<void>,
  { clock, log }: { clock: Clock; log: Log },
): { stop(): void } {
  const stopped = new AbortController();
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const isPrepared = await prepare().then(
        () => true,
        (error: unknown) => {
          if (!isRetriable(error)) log.error({ err: error }, "store.prepare_failed");
          return false;
        },
      );
      await clock.sleep(isPrepared ? STILL_THERE_MS : AGAIN_MS, stopped.signal).catch(() => undefined);
    }
  };
  void run();
  return { stop: () => stopped.abort() };
}
