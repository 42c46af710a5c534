// A look-up that may have come before what it looks for: control has answered, and this process has not heard of it yet.
import type { Configuration, ConfigurationPort } from "./configuration.ts";

/** A configuration that can be asked for the newest. */
export type Confirmable = Pick<ConfigurationPort, "current" | "confirmed">;

/**
 * What `find` finds in the configuration; where it finds nothing, in one that was confirmed since. Whatever control answered before
 * the call is found.
 *
 * @throws ConfigurationStale where the configuration could not be confirmed.
 */
export async function findConfirmed<T>(
  port: Confirmable,
  find: (configuration: Configuration) => T | undefined,
): Promise<T | undefined> {
  return find(port.current()) ?? find(await port.confirmed());
}
