// Tells the services that there may be something new; they would find it a moment later by themselves.
import { changedMessage } from "#shared/contracts/configuration-changed.ts";
import { LOOK_EVERY_MS } from "#shared/store/looks.ts";
import type { ApiContext } from "./context.ts";

const TOLD_WITHIN_MS = 1_000;

export async function tellOfChange({ broker, log }: Pick<ApiContext, "broker" | "log">): Promise<void> {
  await broker
    .publish([changedMessage()], { timeoutMs: TOLD_WITHIN_MS })
    .catch((error: unknown) => log.debug({ err: error }, "control.change_untold"));
}

/** Resolves when they have had the time to see it: each looks that often, told or not. */
export async function untilSeen(context: ApiContext): Promise<void> {
  void tellOfChange(context);
  await context.clock.sleep(LOOK_EVERY_MS);
}
