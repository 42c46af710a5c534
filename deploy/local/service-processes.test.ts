// Settings under `npm start`: ports that are set and those that are chosen, and what a service says that ends for its own.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, onTestFinished, vi } from "vitest";
import { SERVICES } from "#shared/broker/topology.ts";
import { SettingsWrong } from "./backing.ts";
import { freePort } from "./ports.ts";
import type { Child, Exit } from "./processes.ts";
import { choosePorts, untilReady } from "./service-processes.ts";

afterEach(() => vi.unstubAllEnvs());

it("chooses no default port that another variable sets", async () => {
  vi.stubEnv("WAYPOST_CONTROL_PORT", "8080");
  const { http, control } = await choosePorts();
  expect({ control, isShared: http === control }).toEqual({ control: 8080, isShared: false });
});

it.each([
  ["127.0.0.5", "127.0.0.5"],
  ["0.0.0.0", "127.0.0.1"],
  ["::", "127.0.0.1"],
  ["::1", "[::1]"],
])("finds services that are bound to %s at %s", async (bind, host) => {
  vi.stubEnv("WAYPOST_BIND", bind);
  expect(await choosePorts()).toMatchObject({ host });
});

it("counts health ports from the one that is set", async () => {
  vi.stubEnv("WAYPOST_HEALTH_PORT", "9999");
  const { health } = await choosePorts();
  expect(health.ingest).toBe(9_999);
  expect(health.control).toBeGreaterThanOrEqual(10_004);
});

it("says that a port which is set is none, and takes no other in its place", async () => {
  vi.stubEnv("WAYPOST_SMTP_PORT", "mail");
  const problem = 'WAYPOST_SMTP_PORT is "mail": it should be a port from 1 to 65535';
  await expect(choosePorts()).rejects.toThrow(new SettingsWrong(problem));
});

it("names every wrong setting, whichever service uses it, and none that is empty", async () => {
  vi.stubEnv("WAYPOST_RETRY_SCHEDULE", "bogus");
  vi.stubEnv("WAYPOST_NOTIFY_BATCH", "0");
  vi.stubEnv("WAYPOST_SECRET_KEY", "");
  const problems = [
    'WAYPOST_RETRY_SCHEDULE is "bogus": it should be durations separated by commas, e.g. 1m,5m,15m, each at most 49d',
    'WAYPOST_NOTIFY_BATCH is "0": it should be a whole number above 0',
  ];
  await expect(choosePorts()).rejects.toThrow(new SettingsWrong(problems.join("\n")));
});

/** An ingest that has ended, with what it wrote before. */
function ended(exit: Exit, written: string): Child {
  const folder = mkdtempSync(join(tmpdir(), "waypost-ended-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const logFile = join(folder, "ingest.log");
  writeFileSync(logFile, written);
  const exited = Promise.resolve(exit);
  return { name: "ingest", pid: 1, exited, logFile, isRunning: false, signal: () => undefined, stop: () => exited };
}

async function waitFor(child: Child, taken?: number): Promise<void> {
  const port = taken ?? (await freePort());
  const health = Object.fromEntries(SERVICES.map((service) => [service, port])) as Record<
    (typeof SERVICES)[number],
    number
  >;
  await untilReady(
    { children: [child], stop: async () => undefined },
    { host: "127.0.0.1", http: 0, smtp: 0, control: 0, health },
  );
}

it("shows what a service says of its settings, for the same exit code, and the log of one that ends otherwise", async () => {
  const mistake = "WAYPOST_HTTP_PORT is 8080: it should be a free port, this one is taken on 127.0.0.1";
  const misled = ended({ code: 78, signal: null }, `{"level":"warn"}\n${mistake}\n`);
  await expect(waitFor(misled)).rejects.toThrow(new SettingsWrong(mistake));
  const crashed = ended({ code: 1, signal: null }, '{"level":"fatal"}\n');
  await expect(waitFor(crashed)).rejects.toThrow(new Error(`ingest ended: see ${crashed.logFile}`));
});

it("does not take another's answer on a port for that of a service which has ended", async () => {
  const another = createServer((_request, response) => response.end("{}"));
  await new Promise<void>((resolve) => another.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void another.close());
  const mistake = "WAYPOST_HEALTH_PORT is 9464: it should be a free port, this one is taken on 127.0.0.1";
  const child = ended({ code: 78, signal: null }, `${mistake}\n`);
  await expect(waitFor(child, (another.address() as AddressInfo).port)).rejects.toThrow(new SettingsWrong(mistake));
});
