// `npm run check`: types, lint, format, the README's tables against the code, unit tests. All are run; each that fails is named.
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "..");
const bin = (name: string): string => join(ROOT, "node_modules/.bin", name);

const CHECKS: readonly { name: string; command: string; args: readonly string[] }[] = [
  { name: "types", command: bin("tsc"), args: ["-p", "."] },
  { name: "lint", command: bin("oxlint"), args: [] },
  { name: "format", command: bin("prettier"), args: ["--check", "--log-level", "warn", "."] },
  { name: "README", command: process.execPath, args: [join(ROOT, "deploy/local/readme.ts"), "--check"] },
  { name: "unit", command: bin("vitest"), args: ["run", "--project", "unit", "--reporter=dot"] },
];

const failed = CHECKS.filter(({ name, command, args }) => {
  process.stdout.write(`check: ${name}\n`);
  return spawnSync(command, args, { cwd: ROOT, stdio: "inherit" }).status !== 0;
});
process.stdout.write(
  failed.length === 0 ? "check: all good\n" : `check: ${failed.map((item) => item.name).join(", ")} failed\n`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
