import { expect, it, vi } from "vitest";
import { SERVICES } from "#shared/broker/topology.ts";
import { welcome } from "./messages.ts";
import type { LocalPorts } from "./service-processes.ts";

it("prints every port: where a default was taken it is another", () => {
  const lines: string[] = [];
  vi.spyOn(console, "log").mockImplementation((line: string) => void lines.push(line));
  const health = Object.fromEntries(SERVICES.map((service, index) => [service, 9_500 + index])) as LocalPorts["health"];
  const access = {
    controlUrl: "http://127.0.0.1:8082",
    ingestUrl: "http://127.0.0.1:8083",
    adminToken: "",
    password: "",
  };
  welcome({
    access,
    ports: { host: "127.0.0.5", http: 8_083, smtp: 2_526, control: 8_082, health },
    demo: { smtpPort: 1, endpointUrl: "", close: async () => undefined },
    outcome: { jobId: "", mailId: "", traceId: undefined, timeline: [] },
    push: undefined,
  });
  vi.restoreAllMocks();
  const shown = lines.join("\n");
  for (const port of [8_082, 8_083, 2_526]) expect(shown).toContain(`:${port}`);
  expect(shown).toContain("on 127.0.0.5 (/readyz");
  for (const service of SERVICES) expect(shown).toContain(`${service} ${health[service]}`);
});
