// Which node of the broker a connection leads to, as attributes: after a failover it is another one.
import type { Attributes } from "@opentelemetry/api";
import { ATTRIBUTES as A } from "./names.ts";
import { remember } from "./remember.ts";

/** By connection; the same object for as long as it leads to the same node. */
export interface BrokerServers {
  readonly publishing: () => Attributes;
  readonly consuming: () => Attributes;
}

export function createServerNames(): (url: string) => Attributes {
  return remember((url: string) => {
    const { hostname, port, protocol } = new URL(url);
    return { [A.serverAddress]: hostname, [A.serverPort]: Number(port) || (protocol === "amqps:" ? 5_671 : 5_672) };
  });
}
