// One system for all tests of a run that need no settings of their own. Each test takes an account of its own.
// It is started in the run's main process when the first test asks for it, and ends with the run.
import { inject } from "vitest";
import type { DnsRecords } from "./dns.ts";
import { logOf } from "./service-process.ts";
import type { SystemClient, SystemPlan } from "./system-client.ts";
import { createSystemClient } from "./system-client.ts";

export interface CommonSystem extends SystemClient {
  /** Sets records of its DNS server. Take names of your own. */
  setDns(name: string, records: DnsRecords): Promise<void>;
}

export async function commonSystem(): Promise<CommonSystem> {
  const url = inject("commonUrl");
  const response = await fetch(`${url}/system`);
  if (!response.ok) throw new Error(`the common system did not start: ${await response.text()}`);
  const plan = (await response.json()) as SystemPlan;
  return Object.assign(createSystemClient(plan, logOf), {
    setDns: async (name: string, records: DnsRecords) => {
      await fetch(`${url}/dns/${encodeURIComponent(name)}`, { method: "PUT", body: JSON.stringify(records) });
    },
  });
}
