// The broker is killed, restarted, alarmed, late: the runtime comes back by itself and loses nothing.
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { PrivateBroker } from "#deploy/local/broker.ts";
import { startBroker } from "#deploy/local/broker.ts";
import { processesOf } from "#deploy/local/processes.ts";
import { findBroker } from "#deploy/local/programs.ts";
import { EXCHANGES, QUEUES, ROUTING_KEYS } from "#shared/broker/topology.ts";
import { eventually } from "#test/support/eventually.ts";
import type { Numbered } from "#test/support/runtime.ts";
import { connect, numberedContracts, toDue } from "#test/support/runtime.ts";

const BACK_MS = 30_000;

let server: PrivateBroker;
let directory: string;

beforeAll(async () => {
  const program = findBroker();
  if (program === undefined) throw new Error("these tests need a rabbitmq-server on this machine");
  directory = mkdtempSync(join(tmpdir(), "waypost-broker-"));
  server = await startBroker({ program, directory });
});

afterAll(async () => {
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

const LOOPBACK = ["0100007F", "00000000000000000000000001000000"];

/** Where the processes of a directory listen, as Linux writes addresses: four bytes of IPv4, least first, or sixteen of IPv6. */
function listeningAddresses(of: string): string[] {
  const sockets = processesOf(of).flatMap((pid) =>
    readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return "closed meanwhile";
      }
    }),
  );
  return ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((table) =>
    readFileSync(table, "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode]) => state === "0A" && sockets.includes(`socket:[${inode}]`))
      .map(([, local]) => local?.split(":")[0] ?? ""),
  );
}

it.runIf(process.platform === "linux")(
  "listens on loopback alone, for other nodes too, and rabbitmqctl reaches it",
  async () => {
    const addresses = listeningAddresses(directory);
    expect(addresses.length).toBeGreaterThanOrEqual(4);
    expect(addresses.filter((address) => !LOOPBACK.includes(address))).toEqual([]);
    await server.control("status");
  },
);

it("passes on what expired for a queue that was away 10 s later, not minutes", async () => {
  const setting = "application:get_env(rabbit, dead_letter_worker_publisher_confirm_timeout)";
  await expect(server.control("eval", `{ok, 10000} = ${setting}.`)).resolves.toBeUndefined();
});

it("carries every message through a kill of the broker under load, and marks what may be there twice", async () => {
  const broker = connect(server.amqpUrl);
  await eventually(() => broker.ready);
  const taken = new Map<number, { times: number; unmarked: number }>();
  broker.start<Numbered>({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 50,
    handle: async ({ message }) => ({
      kind: "done",
      publish: [{ exchange: EXCHANGES.attempts, routingKey: ROUTING_KEYS.deferred, type: "mail", body: message }],
    }),
  });
  broker.start<Numbered>({
    mailbox: QUEUES.attempts,
    contracts: numberedContracts,
    prefetch: 50,
    batch: { max: 20, lingerMs: 5 },
    handleBatch: async (deliveries) => {
      for (const { message, suspect } of deliveries) {
        const seen = taken.get(message.n) ?? { times: 0, unmarked: 0 };
        taken.set(message.n, { times: seen.times + 1, unmarked: seen.unmarked + (suspect ? 0 : 1) });
      }
      return deliveries.map(() => ({ kind: "done", publish: [] }));
    },
  });
  const count = 4_000;
  const published = [];
  for (let n = 0; n < count; n += 100) {
    published.push(broker.publish(Array.from({ length: 100 }, (_, index) => toDue(n + index))));
    if (n === 2_000) await eventually(() => taken.size > 500);
  }
  await server.kill();
  await eventually(() => !broker.ready);
  await server.start();
  await Promise.all(published);

  await eventually(() => taken.size === count, BACK_MS);
  await eventually(async () => (await broker.depth(QUEUES.due)) === 0 && (await broker.depth(QUEUES.attempts)) === 0);
  expect([...taken.values()].filter(({ unmarked }) => unmarked > 1)).toEqual([]);
}, 120_000);

it("refuses to wait for a broker with a memory alarm, goes on consuming, and publishes once the alarm is over", async () => {
  const broker = connect(server.amqpUrl);
  await eventually(() => broker.ready, BACK_MS);
  await broker.publish([toDue(1), toDue(2)]);
  await server.control("set_vm_memory_high_watermark", "0.000001");
  await eventually(() =>
    broker.publish([toDue(3)], { timeoutMs: 500 }).then(
      () => false,
      () => true,
    ),
  );
  await expect(broker.publish([toDue(4)], { timeoutMs: 500 })).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
  await eventually(() => broker.blocked !== undefined);
  expect(broker.ready).toBe(false);

  const taken: number[] = [];
  broker.start<Numbered>({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 5,
    handle: async ({ message }) => {
      taken.push(message.n);
      return { kind: "done", publish: [] };
    },
  });
  await eventually(() => taken.includes(1) && taken.includes(2));
  const waiting = broker.publish([toDue(5)]);

  await server.control("set_vm_memory_high_watermark", "0.6");

  await waiting;
  await eventually(() => taken.includes(5));
  expect(broker.ready).toBe(true);
}, 120_000);

it("connects when the broker comes after the service, to whichever of its URLs answers", async () => {
  await server.stop();
  const broker = connect(`amqp://guest:guest@127.0.0.1:1,${server.amqpUrl}`);
  const taken: number[] = [];
  broker.start<Numbered>({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 5,
    handle: async ({ message }) => {
      taken.push(message.n);
      return { kind: "done", publish: [] };
    },
  });
  const published = broker.publish([toDue(77)]);
  await expect(broker.publish([toDue(78)], { timeoutMs: 300 })).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });

  await server.start();

  await published;
  await eventually(() => taken.includes(77), BACK_MS);
}, 120_000);
