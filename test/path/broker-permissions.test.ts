// deploy/broker/permit-application.sh confines an application to its account: tried with the real broker's own checks.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { ChannelModel } from "amqplib";
import { connect } from "amqplib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { EXCHANGES, QUEUES, ROUTING_KEYS, TOPOLOGY } from "#shared/broker/topology.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import type { OwnPlace } from "#test/support/backing.ts";
import { ownPlace, testBacking } from "#test/support/backing.ts";
import { connectManagement } from "#test/support/management.ts";
import { ROOT } from "#test/support/service-process.ts";

const user = uniqueLabel("shop");
let place: OwnPlace;
let owner: ChannelModel;
let application: ChannelModel;

/** What the script tells rabbitmqctl, by way of one that only writes it down. */
function told(vhost: string): string[][] {
  const folder = mkdtempSync(join(tmpdir(), "waypost-permit-"));
  const [program, record] = [join(folder, "rabbitmqctl"), join(folder, "told")];
  writeFileSync(
    program,
    `#!/bin/sh\n[ "$2" = list_users ] && echo "${user}" && exit\nprintf '%s\\037' "$@" >> ${record}\necho >> ${record}\n`,
  );
  chmodSync(program, 0o755);
  execFileSync("sh", [join(ROOT, "deploy/broker/permit-application.sh"), user, "acme", vhost], {
    env: { ...process.env, PATH: `${folder}${delimiter}${process.env["PATH"] ?? ""}` },
  });
  const lines = readFileSync(record, "utf8").trim().split("\n");
  rmSync(folder, { recursive: true });
  return lines.map((line) => line.split("\x1f").filter((word) => word !== ""));
}

beforeAll(async () => {
  place = await ownPlace(testBacking());
  const management = connectManagement(place.managementUrl);
  const vhost = decodeURIComponent(new URL(place.amqpUrl).pathname.slice(1));
  owner = await connect(place.amqpUrl);
  const channel = await owner.createChannel();
  for (const { name, type, durable } of TOPOLOGY.exchanges) await channel.assertExchange(name, type, { durable });
  await channel.assertQueue(QUEUES.jobsInteractive);
  await management.createUser(user, "secret", vhost);
  for (const [, command, ...words] of told(vhost)) {
    const [, , name, ...patterns] = words;
    if (command === "set_permissions") {
      const [configure, write, read] = patterns;
      await management.call("PUT", `/permissions/${encodeURIComponent(vhost)}/${name}`, { configure, write, read });
    }
    if (command === "set_topic_permissions") {
      const [exchange, write, read] = patterns;
      await management.call("PUT", `/topic-permissions/${encodeURIComponent(vhost)}/${name}`, {
        exchange,
        write,
        read,
      });
    }
  }
  const url = new URL(place.amqpUrl);
  [url.username, url.password] = [user, "secret"];
  application = await connect(url.toString());
});

afterAll(async () => {
  await application.close();
  await owner.close();
  await connectManagement(place.managementUrl).deleteUser(user);
  await place.remove();
});

/** Runs one thing on a channel of its own: "done", or why the broker refused it. */
async function tried(
  work: (channel: Awaited<ReturnType<ChannelModel["createConfirmChannel"]>>) => Promise<unknown>,
): Promise<string> {
  const channel = await application.createConfirmChannel();
  const refused = new Promise<string>((resolve) => {
    channel.on("error", (error: Error) => resolve(error.message));
  });
  const done = work(channel).then(
    () => "done",
    () => refused,
  );
  return Promise.race([done, refused]);
}

const own = `app.${user}.events`;

it("may submit, and hear the events of its account in a queue of its own", async () => {
  const heard = await tried(async (channel) => {
    await channel.assertQueue(own);
    await channel.bindQueue(own, EXCHANGES.events, "acme.#");
    await channel.bindQueue(own, EXCHANGES.events, "acme.delivered.ok");
    channel.publish(EXCHANGES.submissions, ROUTING_KEYS.submission, Buffer.from("{}"), { userId: user });
    await channel.waitForConfirms();
  });
  expect(heard).toBe("done");
});

it.each(["#", "*.delivered.ok", "acme2.#", "other.delivered.ok"])("may not bind to %s", async (key) => {
  expect(await tried((channel) => channel.bindQueue(own, EXCHANGES.events, key))).toContain("ACCESS_REFUSED");
});

it.each([EXCHANGES.jobs, EXCHANGES.mails, EXCHANGES.events, EXCHANGES.points, EXCHANGES.dead, EXCHANGES.commands, ""])(
  "may not publish to the exchange %j",
  async (exchange) => {
    const refused = await tried(async (channel) => {
      channel.publish(exchange, QUEUES.jobsInteractive, Buffer.from("{}"));
      await channel.waitForConfirms();
    });
    expect(refused).toContain("ACCESS_REFUSED");
  },
);

it("may not read or delete a mailbox of Waypost's", async () => {
  expect(await tried((channel) => channel.consume(QUEUES.jobsInteractive, () => undefined))).toContain(
    "ACCESS_REFUSED",
  );
  expect(await tried((channel) => channel.deleteQueue(QUEUES.jobsInteractive))).toContain("ACCESS_REFUSED");
});
