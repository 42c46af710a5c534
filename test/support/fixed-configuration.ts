// A configuration that nobody changes.
import type { Configuration } from "#shared/routing/configuration.ts";
import type { Confirmable } from "#shared/routing/find-confirmed.ts";

export function fixedConfiguration(configuration: Configuration): Confirmable {
  return { current: () => configuration, confirmed: () => Promise.resolve(configuration) };
}
