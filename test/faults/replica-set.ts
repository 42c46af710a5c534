// Three mongod on this machine as one replica set: any of them may be the primary.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseOptions } from "#deploy/local/database.ts";
import { argumentsOf, SET } from "#deploy/local/database.ts";
import { freePort } from "#deploy/local/ports.ts";
import { endProcessesOf, startChild } from "#deploy/local/processes.ts";
import { createLog } from "#shared/log.ts";
import { connectStore } from "#shared/store/connection.ts";
import { eventually } from "#test/support/eventually.ts";

const MEMBERS = 3;
const START_MS = 60_000;
const ELECTED_MS = 60_000;

export interface Member {
  readonly host: string;
  start(): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
}

export interface ReplicaSet {
  readonly mongodbUri: string;
  readonly members: readonly Member[];
  /** The member that is primary now, once there is one. */
  primary(): Promise<Member>;
  /** Has the primary step down; it is none for ten seconds. */
  stepDown(): Promise<void>;
}

type Answer = Record<string, unknown>;

/** Asks one member, whatever its state. */
async function ask(host: string, command: Answer): Promise<Answer> {
  const uri = `mongodb://${host}/admin?directConnection=true&serverSelectionTimeoutMS=1000`;
  const store = connectStore(uri, createLog("test", "silent"));
  try {
    return await store.db.command(command, { readPreference: "nearest" });
  } finally {
    await store.close();
  }
}

async function memberIn(options: DatabaseOptions): Promise<Member> {
  const { directory, program } = options;
  mkdirSync(join(directory, "data"), { recursive: true });
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const start = async (): Promise<void> => {
    const logFile = join(directory, "mongod.log");
    startChild({
      name: "mongod",
      command: program,
      args: argumentsOf(options, port),
      env: process.env,
      directory,
      logFile,
    });
    await eventually(() => ask(host, { ping: 1 }), START_MS);
  };
  await start();
  return { host, start, kill: async () => void (await endProcessesOf(directory, 0)) };
}

async function isPrimary({ host }: Member): Promise<boolean> {
  const hello = await ask(host, { hello: 1 }).catch((): Answer => ({}));
  return hello["isWritablePrimary"] === true;
}

export async function startReplicaSet(options: DatabaseOptions): Promise<ReplicaSet> {
  const members: Member[] = [];
  for (let index = 0; index < MEMBERS; index += 1) {
    members.push(await memberIn({ ...options, directory: join(options.directory, `member-${index}`) }));
  }
  const config = { _id: SET, members: members.map(({ host }, index) => ({ _id: index, host })) };
  await ask(members[0]?.host ?? "", { replSetInitiate: config });
  const primary = (): Promise<Member> =>
    eventually(async () => {
      for (const member of members) if (await isPrimary(member)) return member;
      return undefined;
    }, ELECTED_MS);
  await primary();
  return {
    mongodbUri: `mongodb://${members.map(({ host }) => host).join(",")}/waypost?replicaSet=${SET}`,
    members,
    primary,
    stepDown: async () => void (await ask((await primary()).host, { replSetStepDown: 10, force: true })),
  };
}
