// Several faults at once, drawn by a generator that a seed repeats.
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceName } from "#shared/broker/topology.ts";
import { SERVICES } from "#shared/broker/topology.ts";
import type { ConnectionFault } from "./connection-faults.ts";
import { proxyFault } from "./connection-faults.ts";
import { brokerKilled, databaseKilled, killOf } from "./faults.ts";
import type { Fault } from "./scenario.ts";

const AT_ONCE = 3;
const LATEST_MS = 3_000;
const HOW: readonly ConnectionFault[] = ["cut", "stall", "slow"];

/** Numbers from 0 to below 1: mulberry32. */
export function createChance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Chance = () => number;
type Target = ServiceName | "broker" | "database";
const TARGETS: readonly Target[] = [...SERVICES, "broker", "database"];

function pick<T>(chance: Chance, from: readonly T[]): T {
  const found = from[Math.floor(chance() * from.length)];
  if (found === undefined) throw new Error("there is nothing to pick from");
  return found;
}

function killOfSome(chance: Chance, service: ServiceName): Fault {
  const signal = pick(chance, ["SIGKILL", "SIGTERM"] as const);
  const replica = pick(chance, ["both", 0, 1] as const);
  return replica === "both"
    ? killOf(service, { signal, which: `both ${service}` })
    : killOf(service, { signal, replica, which: `one ${service}` });
}

function faultOf(chance: Chance, target: Target): Fault {
  if (target !== "broker" && target !== "database") return killOfSome(chance, target);
  const killed = target === "broker" ? brokerKilled : databaseKilled;
  return pick(chance, [killed, ...HOW.map((how) => proxyFault(target, how))]);
}

function draw(chance: Chance): { targets: readonly Target[]; parts: readonly { fault: Fault; afterMs: number }[] } {
  const targets: Target[] = [];
  while (targets.length < AT_ONCE) {
    const target = pick(chance, TARGETS);
    if (!targets.includes(target)) targets.push(target);
  }
  const afterMs = (): number => Math.floor(chance() * LATEST_MS);
  return { targets, parts: targets.map((target) => ({ fault: faultOf(chance, target), afterMs: afterMs() })) };
}

/** Each on another part of the system, at moments of their own. */
export function mixOf(chance: Chance): Fault {
  const { targets, parts } = draw(chance);
  const isCutOff = targets.includes("broker") && targets.includes("database");
  const mayEndUnrecorded = targets.includes("delivery") && targets.includes("database");
  return {
    name: parts.map(({ fault, afterMs }) => `${fault.name} (+${(afterMs / 1_000).toFixed(1)} s)`).join(" & "),
    apply: async (ground, course) => {
      // A sender that ends while the database takes no outcomes, by SIGTERM too once its time to drain is over.
      if (mayEndUnrecorded) course.mayDouble(ground.inFlightAtMost());
      await Promise.all(
        parts.map(async ({ fault, afterMs }) => {
          await sleep(afterMs);
          // A sender that has lost both can tell nobody what became of a mail.
          if (isCutOff) course.mayDouble(ground.inFlightAtMost());
          await fault.apply(ground, course);
        }),
      );
    },
  };
}
