// The configuration as services follow it: looked at again and again, and at once when control tells of a change.
import type { ServiceName } from "./broker/topology.ts";
import { EXCHANGES } from "./broker/topology.ts";
import { changedContracts } from "./contracts/configuration-changed.ts";
import type { ConfigurationPort } from "./routing/configuration.ts";
import type { ServiceContext } from "./service-definition.ts";
import { watchConfiguration } from "./store/configuration.ts";

export async function followConfiguration({
  broker,
  store,
  log,
  clock,
}: Pick<ServiceContext<ServiceName>, "broker" | "store" | "log" | "clock">): Promise<ConfigurationPort> {
  const watch = await watchConfiguration(store, log, clock);
  broker.listen(EXCHANGES.changed, changedContracts, () => watch.lookSoon());
  return watch;
}
