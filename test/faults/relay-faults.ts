// A relay that is taken away while mails wait for it and more come.
import { eventually } from "#test/support/eventually.ts";
import type { Ground } from "./ground.ts";
import type { Fault } from "./scenario.ts";

const WAITING_MS = 20_000;
const WAITING_MAILS = 40;

const pathOf = ({ account }: Ground): string => `/v1/accounts/${account.name}/domains/${account.domain}/relay`;

/** Its lane is held first, so that mails are sure to wait when it goes. */
export function relayRemoved(waiting: "reroute" | "bounce"): Fault {
  return {
    name: `relay removed with ?waiting=${waiting} while mails wait`,
    expected: { byMxToo: true, ends: waiting === "bounce" ? ["DELIVERED", "BOUNCED"] : ["DELIVERED"] },
    before: async (ground) => {
      const held = await ground.system.control.post(`${pathOf(ground)}/suspend`);
      if (held.status >= 300) throw new Error(`the relay could not be suspended: ${held.status}`);
    },
    apply: async (ground) => {
      const { control } = ground.system;
      await eventually(async () => {
        const { body } = await control.get<{ lane?: { depth: number } }>(pathOf(ground));
        return (body.lane?.depth ?? 0) >= WAITING_MAILS;
      }, WAITING_MS);
      const refused = await control.delete(pathOf(ground));
      if (refused.status !== 409) throw new Error(`removing it while mails wait answered ${refused.status}, not 409`);
      const removed = await control.delete(`${pathOf(ground)}?waiting=${waiting}`);
      if (removed.status >= 300) throw new Error(`the relay could not be removed: ${removed.status}`);
    },
    after: (ground) => ground.system.relay(ground.account, ground.relay),
  };
}
