// Installs the packages when they are missing or other than package.json asks for. Plain JavaScript: it runs under whatever Node is there.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

function readJson(file) {
  return JSON.parse(readFileSync(file, "utf8"));
}

/** The first package that is missing or of another version. */
function outdated() {
  if (!existsSync(join(root, "node_modules/.bin/node"))) return "node_modules";
  const { dependencies, devDependencies } = readJson(join(root, "package.json"));
  return Object.entries({ ...dependencies, ...devDependencies }).find(([name, version]) => {
    const manifest = join(root, "node_modules", name, "package.json");
    return !existsSync(manifest) || readJson(manifest).version !== version;
  })?.[0];
}

const missing = outdated();
if (missing !== undefined) {
  process.stderr.write(`installing packages (npm ci): ${missing} is missing or not up to date\n`);
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const done = spawnSync("npm", args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (done.error !== undefined) process.stderr.write(`npm does not run: ${done.error.message}\n`);
  process.exitCode = done.status ?? 1;
}
