// Faults of what lies between: connections to broker and database, and the questions that bring the configuration.
import { setTimeout as sleep } from "node:timers/promises";
import type { TcpProxy } from "#test/support/tcp-proxy.ts";
import type { Ground } from "./ground.ts";
import type { Fault } from "./scenario.ts";

const BETWEEN_CUTS_MS = 500;
const LASTS_MS = 8_000;
/** Of each piece in each direction: a confirm, a database answer take twice that. */
const SLOWED_MS = 40;
const QUERY_FAILED = 96;
/** Longer than a configuration counts that cannot be confirmed. */
const UNANSWERED_MS = 7_000;

type Which = "broker" | "database";
export type ConnectionFault = "cut" | "stall" | "slow";

function proxyOf(ground: Ground, which: Which): TcpProxy {
  const proxy = which === "broker" ? ground.brokerProxy : ground.databaseProxy;
  if (proxy === undefined) throw new Error("this fault needs proxies");
  return proxy;
}

async function apply(proxy: TcpProxy, how: ConnectionFault): Promise<void> {
  if (how === "cut") {
    proxy.cut();
    await sleep(BETWEEN_CUTS_MS);
    return proxy.cut();
  }
  if (how === "stall") proxy.stall();
  else proxy.slow(SLOWED_MS);
  await sleep(LASTS_MS);
  return proxy.flow();
}

const HOW = {
  cut: "cut, twice",
  stall: `stalled for ${LASTS_MS / 1_000} s`,
  slow: `slowed by ${SLOWED_MS} ms a piece for ${LASTS_MS / 1_000} s`,
};

export function proxyFault(which: Which, how: ConnectionFault): Fault {
  return {
    name: `connections to ${which === "broker" ? "RabbitMQ" : "MongoDB"} ${HOW[how]}`,
    apply: (ground) => apply(proxyOf(ground, which), how),
  };
}

/** Nobody learns for a while whether anything was changed: the configuration gets stale. */
export const changesUnanswered: Fault = {
  name: "connections to MongoDB cut, and no answer to what was changed for 7 s",
  apply: async (ground) => {
    const admin = ground.store.db.admin();
    const data = {
      failCommands: ["find"],
      namespace: `${ground.store.db.databaseName}.changed`,
      errorCode: QUERY_FAILED,
    };
    await admin.command({ configureFailPoint: "failCommand", mode: "alwaysOn", data });
    try {
      proxyOf(ground, "database").cut();
      await sleep(UNANSWERED_MS);
    } finally {
      await admin.command({ configureFailPoint: "failCommand", mode: "off" });
    }
  },
};

/** What the driver does at times when a server is killed: the operation has no end, and nothing says so. */
export const writesUnanswered: Fault = {
  name: "no answer from MongoDB to three writes for 2 minutes",
  apply: async (ground) => {
    const data = { failCommands: ["insert", "update", "bulkWrite"], blockConnection: true, blockTimeMS: 120_000 };
    await ground.store.db.admin().command({ configureFailPoint: "failCommand", mode: { times: 3 }, data });
  },
};
