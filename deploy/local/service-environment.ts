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

/** What is set, for an empty variable is none: `npm start` would not put its own in such a place. */
export function whatIsSet(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
}
