// Whether each service of the system of `npm start` answers on its ports (waypost doctor).
import type { ServiceName } from "#shared/broker/topology.ts";
import { SERVICES } from "#shared/broker/topology.ts";
import type { Place } from "#shared/network/can-connect.ts";
import { canConnect } from "#shared/network/can-connect.ts";
import { hostOutOfUrl } from "#shared/network/host-in-url.ts";
import type { FoundSystem } from "./connection.ts";

export interface PortCheck {
  check: string;
  ok: boolean;
  detail: string;
  mend: string;
}

const PATIENCE_MS = 3_000;

const failed = (check: string, detail: string, mend: string): PortCheck => ({ check, ok: false, detail, mend });
const startOf = (service: string): string => `start it (node services/${service}/main.ts), or see its log`;

async function checkListener(name: string, place: Place): Promise<PortCheck> {
  const check = `port ${place.port}`;
  const host = hostOutOfUrl(place.host);
  if (await canConnect({ ...place, host }, PATIENCE_MS))
    return { check, ok: true, detail: `${name} answers`, mend: "" };
  return failed(check, `${name} does not answer on ${place.host}:${place.port}`, startOf("ingest"));
}

async function checkHealth(service: ServiceName, place: Place): Promise<PortCheck> {
  const check = `port ${place.port}`;
  try {
    const answer = await fetch(`http://${place.host}:${place.port}/readyz`, {
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (answer.ok) return { check, ok: true, detail: `${service} is ready`, mend: "" };
    const { reasons = [] } = (await answer.json()) as { reasons?: string[] };
    return failed(check, `${service} is not ready: ${reasons.join("; ")}`, "see the checks above, and its log");
  } catch {
    return failed(check, `${service} does not answer on ${place.host}:${place.port}`, startOf(service));
  }
}

/** One check a port; of a system elsewhere only that its control answers. */
export async function checkPorts({ controlUrl, ports }: FoundSystem): Promise<PortCheck[]> {
  const host = new URL(controlUrl).hostname;
  if (ports === undefined) {
    const detail = `control answers at ${controlUrl}; the other services run elsewhere: ask /readyz of each`;
    return [{ check: "ports", ok: true, detail, mend: "" }];
  }
  return Promise.all([
    checkListener("ingest over HTTP", { host, port: ports.http }),
    checkListener("ingest over SMTP", { host, port: ports.smtp }),
    ...SERVICES.map((service) => checkHealth(service, { host, port: ports.health[service] ?? 0 })),
  ]);
}
