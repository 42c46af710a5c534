import { defineConfig } from "vitest/config";

// Tiers that run real services share two cores with them: two files at once, and time to wait for conditions.
const real = {
  globalSetup: ["test/support/global-setup.ts"],
  setupFiles: ["test/support/log-on-failure.ts"],
  testTimeout: 60_000,
  hookTimeout: 120_000,
  maxWorkers: 2,
  pool: "forks" as const,
};

const isLong = process.env["WAYPOST_FAULTS"] === "long";

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          // Property tests, and keys that are made, on a machine that is busy with other things.
          testTimeout: 30_000,
          hookTimeout: 30_000,
          // They share no state: loading the modules once a worker, not once a file, halves their time.
          isolate: false,
          maxWorkers: 2,
          include: ["{services,shared,deploy}/**/*.test.ts"],
          sequence: { groupOrder: 0 },
        },
      },
      { test: { ...real, name: "contract", include: ["test/contract/**/*.test.ts"], sequence: { groupOrder: 1 } } },
      { test: { ...real, name: "path", include: ["test/{path,support}/**/*.test.ts"], sequence: { groupOrder: 2 } } },
      {
        test: {
          ...real,
          name: "faults",
          // The long form takes half an hour and more: `npm run test:faults -- --long`.
          include: ["test/faults/**/*.test.ts", ...(isLong ? ["test/faults/**/*.long.ts"] : [])],
          testTimeout: 300_000,
          // What the long ones watch (memory, how soon all is well again) is theirs alone.
          maxWorkers: isLong ? 1 : 2,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
