// The backing services as containers, where a Docker engine answers. Data is kept where a volume is named for it.
import { createLog } from "#shared/log.ts";
import { connectStore } from "#shared/store/connection.ts";
import { DEAD_LETTERS_AGAIN } from "./broker.ts";
import { bringUpSet } from "./database.ts";

export interface BrokerContainer {
  amqpUrl: string;
  managementUrl: string;
  stop: () => Promise<void>;
}

export interface DatabaseContainer {
  mongodbUri: string;
  stop: () => Promise<void>;
}

const BROKER_IMAGE = "rabbitmq:4-management";
const DATABASE_IMAGE = "mongo:8";

export async function startBrokerContainer(volume: string | undefined): Promise<BrokerContainer> {
  const { GenericContainer, Wait } = await import("testcontainers");
  const plain = new GenericContainer(BROKER_IMAGE)
    // The node's name, and so its data directory, follows the host name.
    .withHostname("waypost")
    .withEnvironment({
      RABBITMQ_DEFAULT_USER: "waypost",
      RABBITMQ_DEFAULT_PASS: "waypost",
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: DEAD_LETTERS_AGAIN,
    })
    .withExposedPorts(5672, 15672)
    .withWaitStrategy(Wait.forLogMessage(/Server startup complete/))
    .withStartupTimeout(180_000);
  const kept = volume === undefined ? [] : [{ source: volume, target: "/var/lib/rabbitmq" }];
  const started = await plain.withBindMounts(kept).start();
  const host = started.getHost();
  return {
    amqpUrl: `amqp://waypost:waypost@${host}:${started.getMappedPort(5672)}`,
    managementUrl: `http://waypost:waypost@${host}:${started.getMappedPort(15672)}`,
    stop: async () => void (await started.stop({ timeout: 10_000 })),
  };
}

export async function startDatabaseContainer(volume: string | undefined): Promise<DatabaseContainer> {
  const { GenericContainer, Wait } = await import("testcontainers");
  const plain = new GenericContainer(DATABASE_IMAGE)
    .withCommand(["--replSet", "waypost", "--bind_ip_all"])
    .withExposedPorts(27017)
    .withWaitStrategy(Wait.forLogMessage(/Waiting for connections/i))
    .withStartupTimeout(180_000);
  const kept = volume === undefined ? [] : [{ source: volume, target: "/data/db" }];
  const started = await plain.withBindMounts(kept).start();
  // The member is known by its address inside the container: from outside it is reached directly, never by discovery.
  const address = `${started.getHost()}:${started.getMappedPort(27017)}`;
  const store = connectStore(`mongodb://${address}/admin?directConnection=true`, createLog("local", "silent"));
  try {
    await bringUpSet(store, "127.0.0.1:27017", () => true);
  } finally {
    await store.close();
  }
  return {
    mongodbUri: `mongodb://${address}/waypost?directConnection=true`,
    stop: async () => void (await started.stop({ timeout: 10_000 })),
  };
}
