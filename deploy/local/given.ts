// RabbitMQ and MongoDB that AMQP_URL and MONGODB_URI name: read as the services will, and asked whether anybody is there,
// so that a wrong one is told at once and not by six services that wait for it.
import type { Place } from "#shared/network/can-connect.ts";
import { canConnect } from "#shared/network/can-connect.ts";
import { hostOutOfUrl } from "#shared/network/host-in-url.ts";
import { SETTINGS } from "#shared/settings-table.ts";

export type Given = { kind: "none" } | { kind: "wrong"; problem: string } | { kind: "given"; places: readonly Place[] };

const PATIENCE_MS = 5_000;
const MONGODB_PORT = 27_017;

function read(variable: "AMQP_URL" | "MONGODB_URI", text: string): Given | undefined {
  const parsed = SETTINGS[variable].schema.safeParse(text);
  if (parsed.success) return undefined;
  return { kind: "wrong", problem: `${variable} is not valid: it should be ${parsed.error.issues[0]?.message ?? ""}` };
}

export function readAmqpUrl(text: string | undefined): Given {
  if (text === undefined || text === "") return { kind: "none" };
  const wrong = read("AMQP_URL", text);
  if (wrong !== undefined) return wrong;
  const urls = SETTINGS.AMQP_URL.schema.parse(text);
  const places = urls.map((url) => {
    const { hostname, port, protocol } = new URL(url);
    const standard = protocol === "amqps:" ? 5_671 : 5_672;
    return { host: hostOutOfUrl(hostname), port: port === "" ? standard : Number(port) };
  });
  return { kind: "given", places };
}

/** The places of a `mongodb+srv` URI are in the DNS: none are asked. */
export function readMongodbUri(text: string | undefined): Given {
  if (text === undefined || text === "") return { kind: "none" };
  const wrong = read("MONGODB_URI", text);
  if (wrong !== undefined) return wrong;
  const hosts = /^mongodb:\/\/(?:[^@/]*@)?([^/?]+)/.exec(text)?.[1]?.split(",") ?? [];
  const places = hosts.map((host) => {
    const [, name = host, port] = /^(.*?)(?::(\d+))?$/.exec(host) ?? [];
    return { host: hostOutOfUrl(name), port: Number(port ?? MONGODB_PORT) };
  });
  return { kind: "given", places };
}

/** Whether anybody listens at one of the places. */
export async function anyAnswers(places: readonly Place[]): Promise<boolean> {
  if (places.length === 0) return true;
  const found = await Promise.all(places.map((place) => canConnect(place, PATIENCE_MS)));
  return found.includes(true);
}
