// What most contract tests begin with: a system, an account, and a relay that takes its mails.
import type { MailServer } from "./mail-server.ts";
import { startMailServer } from "./mail-server.ts";
import type { System, SystemOptions } from "./system.ts";
import { startSystem } from "./system.ts";
import type { TestAccount } from "./system-client.ts";

export interface RelayedSystem {
  system: System;
  relay: MailServer;
  account: TestAccount;
  stop: () => Promise<void>;
}

export async function startRelayedSystem(options: SystemOptions = {}): Promise<RelayedSystem> {
  const system = await startSystem(options);
  const relay = await startMailServer();
  const account = await system.account();
  await system.relay(account, relay);
  return {
    system,
    relay,
    account,
    stop: async () => {
      await relay.close();
      await system.stop();
    },
  };
}
