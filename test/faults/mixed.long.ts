// The promise under faults that come together, drawn at random: `npm run test:faults -- --long --seed N` repeats a draw.
import { randomInt } from "node:crypto";
import { SERVICES } from "#shared/broker/topology.ts";
import { keepsPromise } from "./keeps-promise.ts";
import { createChance, mixOf } from "./mixed-faults.ts";

const ROUNDS = 10;
const REPLICAS = Object.fromEntries(SERVICES.map((service) => [service, 2]));
const given = process.env["WAYPOST_FAULTS_SEED"];
const seed = given === undefined || given === "" ? randomInt(2 ** 31) : Number(given);
const chance = createChance(seed);

process.stdout.write(`faults mixed by seed ${seed}\n`);
keepsPromise(
  {
    title: `Three faults at once, two processes of each service, drawn by \`--seed ${seed}\``,
    replicas: REPLICAS,
    proxied: true,
  },
  Array.from({ length: ROUNDS }, () => mixOf(chance)),
);
