// The examples under docs/examples, run as their README says.
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { delimiter } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { uniqueLabel } from "#test/support/addresses.ts";
import type { CommonSystem } from "#test/support/common-system.ts";
import { commonSystem } from "#test/support/common-system.ts";
import { eventually } from "#test/support/eventually.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import { connectManagement } from "#test/support/management.ts";
import { ROOT } from "#test/support/service-process.ts";
import type { TestAccount } from "#test/support/system-client.ts";

let system: CommonSystem;
let relay: MailServer;
let account: TestAccount;
let amqpUrl: string;

beforeAll(async () => {
  system = await commonSystem();
  relay = await startMailServer();
  const user = uniqueLabel("app");
  const url = new URL(system.amqpUrl.split(",")[0] ?? "");
  const own = `app\\.${user}\\..*`;
  await connectManagement(system.managementUrl).createUser(user, "secret", decodeURIComponent(url.pathname.slice(1)), {
    configure: `^${own}$`,
    write: `^(${own}|waypost\\.submissions)$`,
    read: `^(${own}|waypost\\.events)$`,
  });
  url.username = user;
  url.password = "secret";
  amqpUrl = url.toString();
  account = await system.account({ brokerUser: user });
  await system.relay(account, relay);
});
afterAll(() => relay.close());

/** Without the project's own Node: the machine's may be older, and runs an example as the README says. */
const machinesPath = (process.env["PATH"] ?? "")
  .split(delimiter)
  .filter((folder) => !folder.includes("node_modules"))
  .join(delimiter);

function run(
  command: string,
  args: readonly string[],
): { child: ChildProcessWithoutNullStreams; output: () => string } {
  const child = spawn(command, args, { cwd: ROOT, env: { ...process.env, PATH: machinesPath, AMQP_URL: amqpUrl } });
  onTestFinished(() => void child.kill());
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return { child, output: () => output };
}

const submit = (recipients: readonly string[]): ReturnType<typeof run> =>
  run("node", ["docs/examples/submit-and-listen.mjs", account.name, account.sender, ...recipients]);

it("submit-and-listen.mjs submits a job and tells its mails' lives to their end", async () => {
  const recipients = [1, 2].map(() => `${uniqueLabel("to")}@recipient.example`);
  const { child, output } = submit(recipients);
  await eventually(() => child.exitCode !== null);
  const [jobId = "", ...lines] = output().trim().split("\n");
  expect({ code: child.exitCode, jobId }).toEqual({ code: 0, jobId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  expect((await system.mailsOf(jobId, 2)).map(({ email }) => email).toSorted()).toEqual(recipients.toSorted());
  for (const recipient of recipients) {
    const life = lines.filter((line) => line.includes(recipient)).map((line) => line.split(" ")[2]);
    expect(life).toEqual(["STARTED/PROCESSING_STARTED", "PROCESSED/PROCESSING_FINISHED", "DELIVERED/OK"]);
  }
});

/** Without pika: that it is Python at all, where there is one. */
function expectsPython(): void {
  const source = "import ast; ast.parse(open('docs/examples/listen.py').read())";
  expect(spawnSync("python3", ["-c", source], { cwd: ROOT }).status ?? 0).toBe(0);
}

it("listen.py tells the events of the account, where Python has pika", async () => {
  const hasPika = spawnSync("python3", ["-c", "import pika"]).status === 0;
  if (!hasPika) return expectsPython();
  const listener = run("python3", ["docs/examples/listen.py", account.name, "3"]);
  await eventually(() => listener.output().includes("listening"));
  submit([`${uniqueLabel("to")}@recipient.example`]);
  await eventually(() => listener.child.exitCode !== null);
  expect(listener.output()).toContain("DELIVERED/OK");
});
