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

/** What keeps the project's own Node from running, if anything does. */
function nodeProblem() {
  const done = spawnSync(join(root, "node_modules/.bin/node"), ["--version"], { encoding: "utf8" });
  return done.status === 0 ? undefined : (done.error?.message ?? done.stderr.trim());
}

/** On a bare Debian or Ubuntu a library may be missing that Node is linked against. */
function mendNode() {
  let problem = nodeProblem();
  const library = /(libatomic|libstdc\+\+)\.so\.\d+/.exec(problem ?? "")?.[1];
  if (library !== undefined && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
    const name = library === "libatomic" ? "libatomic1" : "libstdc++6";
    process.stderr.write(`installing ${name}, which Node needs\n`);
    for (const args of [
      ["update", "-q"],
      ["install", "-y", "-q", "--no-install-recommends", name],
    ]) {
      spawnSync("apt-get", args, { stdio: "ignore", env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
    }
    problem = nodeProblem();
  }
  if (problem === undefined) return;
  process.stderr.write(`the project's own Node does not run here: ${problem}\n`);
  process.exitCode = 1;
}

const missing = outdated();
if (missing !== undefined) {
  process.stderr.write(`installing packages (npm ci): ${missing} is missing or not up to date\n`);
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const done = spawnSync("npm", args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (done.error !== undefined) process.stderr.write(`npm does not run: ${done.error.message}\n`);
  process.exitCode = done.status ?? 1;
}
if (process.exitCode === undefined || process.exitCode === 0) mendNode();
