import { expect, it } from "vitest";
import { createLog } from "#shared/log.ts";
import type { Lane } from "#shared/routing/lane.ts";
import { aConfiguration, aRelay } from "#test/support/build-mail.ts";
import { listUnlisted } from "./unlisted-lanes.ts";

const RELAYS = "delivery.relay.acme.example.com";

/** What a pass lists, and what it asks the broker for. */
async function pass(state: {
  made: string[];
  listed: Lane[];
  unmade?: Set<string>;
  relay?: ReturnType<typeof aRelay>;
  /** The router stops with this question. */
  last?: string;
}) {
  const again: string[] = [];
  const asked: string[] = [];
  const stopping = new AbortController();
  const configuration = aConfiguration({ relays: [state.relay ?? aRelay()] });
  await listUnlisted(
    {
      broker: {
        depth: async (queue) => {
          asked.push(queue);
          if (queue === state.last) stopping.abort();
          return state.made.includes(queue) ? 3 : undefined;
        },
      },
      lanes: { ensure: async ({ name }) => again.push(name) > 0 },
      configuration: { current: () => configuration },
      log: createLog("test", "silent"),
      stopping: stopping.signal,
    },
    state.listed.map((lane) => ({ lane })),
    state.unmade ?? new Set(),
  );
  return { again, asked };
}

it("mails that wait in lanes which a restored database does not list are delivered", async () => {
  const { again } = await pass({ made: [RELAYS, "delivery.mx.3"], listed: [] });
  expect(again).toEqual([RELAYS, "delivery.mx.3"]);
});

it("the lane of a removed relay is left to its end", async () => {
  const relay = aRelay({ removed: { at: new Date(), waiting: "reroute" } });
  expect((await pass({ made: [RELAYS], listed: [], relay })).again).toEqual([]);
});

it("a lane that was never made is asked for once, and again when it was listed meanwhile", async () => {
  const unmade = new Set<string>();
  const lane: Lane = { kind: "relay", name: RELAYS, account: "acme", domain: "example.com" };
  expect((await pass({ made: [], listed: [], unmade })).asked).toContain(RELAYS);
  expect((await pass({ made: [], listed: [], unmade })).asked).toEqual([]);
  expect((await pass({ made: [RELAYS], listed: [lane], unmade })).asked).toEqual([]);
  expect((await pass({ made: [RELAYS], listed: [], unmade })).again).toEqual([RELAYS]);
});

it("a router that stops asks no further", async () => {
  expect((await pass({ made: [], listed: [], last: RELAYS })).asked).toEqual([RELAYS]);
});
