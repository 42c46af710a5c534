import { expect, it } from "vitest";
import type { Clock } from "#shared/clock.ts";
import { systemClock } from "#shared/clock.ts";
import { createLog } from "#shared/log.ts";
import type { NetworkPolicy } from "#shared/network/policy.ts";
import { createNetworkPolicy } from "#shared/network/policy.ts";
import { createMtaSts } from "./mta-sts.ts";

const MINUTE = 60_000;
const DOMAIN = "busy.example";

/** A domain without a policy, and how often it was asked for one. */
function ground() {
  const network = createNetworkPolicy({
    WAYPOST_ALLOW_NETWORKS: undefined,
    WAYPOST_DNS_SERVERS: ["127.0.0.1"],
    WAYPOST_STATIC_HOSTS: undefined,
  });
  const asked: string[] = [];
  const txt: NetworkPolicy["dns"]["txt"] = async (name) => {
    asked.push(name);
    return { ok: false, failure: "nodata", text: "none" };
  };
  let passedMs = 0;
  const clock: Clock = { ...systemClock, nowMs: () => passedMs };
  const mtaSts = createMtaSts({ ...network, dns: { ...network.dns, txt } }, createLog("test", "silent"), clock);
  return { asked, mtaSts, pass: (ms: number) => void (passedMs += ms) };
}

it("a domain that gets mail all the time is asked for its policy every five minutes even so", async () => {
  const { asked, mtaSts, pass } = ground();
  for (let minute = 0; minute < 20; minute += 1) {
    expect(await mtaSts.demandOn(DOMAIN)).toBeUndefined();
    pass(MINUTE);
  }
  expect(asked).toEqual(Array.from({ length: 4 }, () => `_mta-sts.${DOMAIN}`));
});

it("mails to one domain that come together ask once", async () => {
  const { asked, mtaSts } = ground();
  await Promise.all(Array.from({ length: 10 }, () => mtaSts.demandOn(DOMAIN)));
  expect(asked).toHaveLength(1);
});
