// Keeps the common system in the run's main process and answers the test workers that ask for it.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { TestBacking } from "./backing.ts";
import type { DnsRecords, ScriptedDns } from "./dns.ts";
import { startDns } from "./dns.ts";
import type { System } from "./system.ts";
import { startSystem } from "./system.ts";

export interface CommonHost {
  readonly url: string;
  close(): Promise<void>;
}

export async function startCommonHost(backing: TestBacking): Promise<CommonHost> {
  const dns: ScriptedDns = await startDns();
  let system: Promise<System> | undefined;
  const respond = async (path: string, body: string): Promise<{ status: number; text: string }> => {
    if (path.startsWith("/dns/")) {
      dns.set(decodeURIComponent(path.slice("/dns/".length)), JSON.parse(body) as DnsRecords);
      return { status: 204, text: "" };
    }
    system ??= startSystem({ backing, dns });
    try {
      return { status: 200, text: JSON.stringify((await system).plan) };
    } catch (error) {
      return { status: 500, text: error instanceof Error ? error.message : String(error) };
    }
  };
  const server = createServer((request, response) => {
    void text(request)
      .then((body) => respond(request.url ?? "", body))
      .then((answer) => response.writeHead(answer.status).end(answer.text));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      const running = await system?.catch(() => undefined);
      await running?.stop();
      await dns.close();
    },
  };
}
