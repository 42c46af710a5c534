// What a sweep finds is ended one by one: what cannot be ended is logged and holds up nothing behind it.
import { isRetriable } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";

/** False where it failed by itself. A backing service that is away is thrown: nothing else would be ended either. */
export async function goingOn(log: Log, ids: object, end: () => Promise<boolean>): Promise<boolean> {
  try {
    return await end();
  } catch (error) {
    if (isRetriable(error)) throw error;
    log.error({ ...ids, err: error }, "sweep.failed");
    return false;
  }
}
