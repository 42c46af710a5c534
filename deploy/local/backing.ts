// RabbitMQ and MongoDB for `npm start` and for the tests, in the order of the operator's contract (Backing services).
import { join } from "node:path";
import type { Turns } from "#shared/turns.ts";
import { createTurns } from "#shared/turns.ts";
import { EXIT_CONFIG } from "#shared/exit-codes.ts";
import { startBroker } from "./broker.ts";
import { startBrokerContainer, startDatabaseContainer } from "./containers.ts";
import { startDatabase } from "./database.ts";
import { findEngine } from "./docker-engine.ts";
import type { Given } from "./given.ts";
import { anyAnswers, readAmqpUrl, readMongodbUri } from "./given.ts";
import { installBroker, removeStalePolicy } from "./install-broker.ts";
import { installDatabase } from "./install-database.ts";
import { findBroker, findDatabase, isDebian, isRoot } from "./programs.ts";
import { noteVolume } from "./volumes.ts";

export interface Backing {
  amqpUrl: string;
  /** The management API with credentials in it, where this run knows of one. */
  managementUrl: string | undefined;
  mongodbUri: string;
  /** What was brought up, for people: `RabbitMQ (/usr/lib/...)`. */
  parts: readonly string[];
  stop(): Promise<void>;
}

export interface BackingOptions {
  /** Where private instances keep their data. */
  directory: string;
  /** Whether the data is for a next start too. */
  keepData: boolean;
  report(line: string): void;
}

/** Nothing that the contract names was to be had: its message says what was tried and the ways out. Exit 69. */
export class BackingUnavailable extends Error {
  override readonly name = "BackingUnavailable";
}

/** AMQP_URL, MONGODB_URI or another setting is not what it should be. Exit 78. */
export class SettingsWrong extends Error {
  override readonly name = "SettingsWrong";
}

const EXIT_UNAVAILABLE = 69;

/** What a run ends with that could not begin. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof BackingUnavailable) return EXIT_UNAVAILABLE;
  return error instanceof SettingsWrong ? EXIT_CONFIG : 1;
}

interface Part<T> {
  running: T;
  text: string;
  stop(): Promise<void>;
}

type BrokerPart = Part<{ amqpUrl: string; managementUrl: string | undefined }>;
type DatabasePart = Part<{ mongodbUri: string }>;

/** What is the same for both: the names for people, the program, and how it is installed. */
interface Kind<P> {
  name: string;
  program: string;
  variable: string;
  find(): string | undefined;
  install(): Promise<string | undefined>;
  container(): Promise<P>;
  start(program: string): Promise<P>;
}

const nothing = async (): Promise<void> => undefined;

function unavailable(kind: Kind<unknown>, installing: string): BackingUnavailable {
  return new BackingUnavailable(
    [
      `${kind.name} is needed and was not found. Tried:`,
      `  1. ${kind.variable}: not set`,
      "  2. a Docker engine: none answers",
      `  3. ${kind.program} on this machine: not found`,
      `  4. ${installing}`,
      "Ways out, any of them:",
      `  - set ${kind.variable} to one that runs already`,
      "  - start Docker (or a compatible engine), then try again",
      `  - install ${kind.program} so that it is on the PATH (on Debian or Ubuntu, running this as root does it)`,
    ].join("\n"),
  );
}

interface Means {
  hasDocker: boolean;
  /** One installation after the other: the package manager takes no two at once. */
  inTurn: Turns;
}

async function provide<P>(kind: Kind<P>, options: BackingOptions, { hasDocker, inTurn }: Means): Promise<P> {
  if (hasDocker) {
    options.report(`${kind.name}: starting a container`);
    return kind.container();
  }
  const present = kind.find();
  if (present !== undefined) {
    options.report(`${kind.name}: starting ${present}`);
    return kind.start(present);
  }
  if (!isDebian() || !isRoot()) throw unavailable(kind, "installing it: only on Debian or Ubuntu, and as root");
  options.report(`${kind.name}: not on this machine, installing it (a minute or two)`);
  const problem = await inTurn(() => kind.install());
  const installed = kind.find();
  if (installed === undefined) throw unavailable(kind, `installing it: ${problem ?? "done, but it is not there"}`);
  options.report(`${kind.name}: starting ${installed}`);
  return kind.start(installed);
}

function brokerKind(options: BackingOptions): Kind<BrokerPart> {
  const directory = join(options.directory, "rabbitmq");
  return {
    name: "RabbitMQ",
    program: "rabbitmq-server",
    variable: "AMQP_URL",
    find: findBroker,
    install: installBroker,
    container: async () => {
      const volume = options.keepData ? noteVolume(options.directory, "rabbitmq") : undefined;
      const running = await startBrokerContainer(volume);
      return { running, text: "RabbitMQ 4 in a container", stop: running.stop };
    },
    start: async (program) => {
      const running = await startBroker({ program, directory });
      return { running, text: `RabbitMQ (${program})`, stop: options.keepData ? running.stop : running.kill };
    },
  };
}

function databaseKind(options: BackingOptions): Kind<DatabasePart> {
  const directory = join(options.directory, "mongodb");
  return {
    name: "MongoDB",
    program: "mongod",
    variable: "MONGODB_URI",
    find: findDatabase,
    install: installDatabase,
    container: async () => {
      const volume = options.keepData ? noteVolume(options.directory, "mongodb") : undefined;
      const running = await startDatabaseContainer(volume);
      return { running, text: "MongoDB 8 in a container", stop: running.stop };
    },
    start: async (program) => {
      const running = await startDatabase({ program, directory });
      return { running, text: `MongoDB (${program})`, stop: options.keepData ? running.stop : running.kill };
    },
  };
}

/** Whether a variable names one. Throws where it is wrong, or nobody is there. */
async function isGiven(kind: { name: string; variable: string }, given: Given): Promise<boolean> {
  if (given.kind === "none") return false;
  if (given.kind === "wrong") throw new SettingsWrong(given.problem);
  if (await anyAnswers(given.places)) return true;
  const places = given.places.map(({ host, port }) => `${host}:${port}`).join(", ");
  throw new BackingUnavailable(
    `${kind.name} of ${kind.variable} does not answer at ${places}: start it, or unset ${kind.variable} to have one brought up`,
  );
}

async function givenBroker(): Promise<BrokerPart | undefined> {
  const amqpUrl = process.env["AMQP_URL"];
  const isThere = await isGiven({ name: "RabbitMQ", variable: "AMQP_URL" }, readAmqpUrl(amqpUrl));
  if (!isThere || amqpUrl === undefined) return undefined;
  return { running: { amqpUrl, managementUrl: undefined }, text: "RabbitMQ of AMQP_URL", stop: nothing };
}

async function givenDatabase(): Promise<DatabasePart | undefined> {
  const mongodbUri = process.env["MONGODB_URI"];
  const isThere = await isGiven({ name: "MongoDB", variable: "MONGODB_URI" }, readMongodbUri(mongodbUri));
  if (!isThere || mongodbUri === undefined) return undefined;
  return { running: { mongodbUri }, text: "MongoDB of MONGODB_URI", stop: nothing };
}

/** Stops what did start when the other did not. */
async function both<A extends Part<unknown>, B extends Part<unknown>>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  const [first, second] = await Promise.allSettled([a, b]);
  if (first.status === "fulfilled" && second.status === "fulfilled") return [first.value, second.value];
  for (const part of [first, second]) if (part.status === "fulfilled") await part.value.stop();
  throw first.status === "rejected" ? first.reason : (second as PromiseRejectedResult).reason;
}

/** Brings both up, side by side. Throws SettingsWrong, or BackingUnavailable where there is no way to have one of them. */
export async function startBacking(options: BackingOptions): Promise<Backing> {
  removeStalePolicy();
  const given = { broker: await givenBroker(), database: await givenDatabase() };
  const isNeeded = given.broker === undefined || given.database === undefined;
  const means = { hasDocker: isNeeded && (await findEngine()) !== undefined, inTurn: createTurns() };
  const [broker, database] = await both(
    given.broker === undefined ? provide(brokerKind(options), options, means) : Promise.resolve(given.broker),
    given.database === undefined ? provide(databaseKind(options), options, means) : Promise.resolve(given.database),
  );
  return {
    ...broker.running,
    ...database.running,
    parts: [broker.text, database.text],
    stop: async () => {
      await Promise.all([broker.stop(), database.stop()]);
    },
  };
}
