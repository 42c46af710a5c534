// What every process of a service gets into its environment, whoever starts it; deploy/Dockerfile says the same.
import { join } from "node:path";

/**
 * What glibc may keep of memory that was given back. By default each thread has its own arena, and one block of 16 MiB
 * (a password's hash takes that) makes all later ones of this size stay in it.
 */
const MALLOC = {
  MALLOC_ARENA_MAX: "2",
  MALLOC_MMAP_THRESHOLD_: "1048576",
  MALLOC_TRIM_THRESHOLD_: "2097152",
} as const;

/** `directory` is where sources are kept as they were compiled. */
export function serviceEnvironment(directory: string): Readonly<Record<string, string>> {
  return { NODE_COMPILE_CACHE: join(directory, "compile-cache"), ...MALLOC };
}

const LOCAL_DRAIN_SECONDS = "5";
const LOOPBACK = "127.0.0.0/8,::1/128";

export interface LocalParts {
  amqpUrl: string;
  mongodbUri: string;
  adminToken: string;
  secretKey: string;
  /** The name of the demo's relay. */
  demoHost: string;
}

/** What services get under `npm start`: what is set counts, and lists keep the demo's place beside it. */
export function localEnvironment(given: NodeJS.ProcessEnv, local: LocalParts): NodeJS.ProcessEnv {
  // An empty variable is one that is not set: it would hide what stands here.
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ""));
  const beside = (variable: string, ours: string): string =>
    [set[variable], ours].filter((text) => text !== undefined).join(",");
  return {
    WAYPOST_DRAIN_SECONDS: LOCAL_DRAIN_SECONDS,
    WAYPOST_ADMIN_TOKEN: local.adminToken,
    WAYPOST_SECRET_KEY: local.secretKey,
    ...set,
    WAYPOST_ALLOW_NETWORKS: beside("WAYPOST_ALLOW_NETWORKS", LOOPBACK),
    WAYPOST_STATIC_HOSTS: beside("WAYPOST_STATIC_HOSTS", `${local.demoHost}=127.0.0.1`),
    AMQP_URL: local.amqpUrl,
    MONGODB_URI: local.mongodbUri,
  };
}
