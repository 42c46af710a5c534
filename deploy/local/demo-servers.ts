// DEMO: a mail server to relay to and an endpoint to notify, in this process. They keep nothing.
import type { IncomingMessage, Server } from "node:http";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { SMTPServer } from "smtp-server";
import { nextFreePort } from "./ports.ts";

export interface DemoServers {
  smtpPort: number;
  endpointUrl: string;
  close(): Promise<void>;
}

export interface DemoEvents {
  mailReceived(from: string, to: readonly string[]): void;
  notified(body: string): void;
}

export const DEMO_HOST = "mail.demo.example";
const SMTP_FROM = 2_600;
const ENDPOINT_FROM = 2_700;

async function startMailServer(port: number, events: DemoEvents): Promise<SMTPServer> {
  const server = new SMTPServer({
    name: DEMO_HOST,
    banner: "demo mail server of Waypost: accepts everything, keeps nothing",
    authOptional: true,
    disabledCommands: ["AUTH", "STARTTLS"],
    disableReverseLookup: true,
    logger: false,
    closeTimeout: 500,
    onData: (stream, session, callback) => {
      stream.once("end", () => {
        const { mailFrom, rcptTo } = session.envelope;
        events.mailReceived(
          mailFrom === false ? "" : mailFrom.address,
          rcptTo.map((to) => to.address),
        );
        callback(null, "2.0.0 Ok: queued as DEMO");
      });
      stream.resume();
    },
  });
  server.on("error", () => undefined);
  await new Promise<void>((resolve, reject) => {
    server.server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return server;
}

async function startEndpoint(port: number, events: DemoEvents): Promise<Server> {
  const take = async (request: IncomingMessage): Promise<void> => events.notified(await text(request));
  const server = createServer((request, response) => {
    take(request).then(
      () => response.writeHead(204).end(),
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return server;
}

export async function startDemoServers(events: DemoEvents, taken: ReadonlySet<number>): Promise<DemoServers> {
  const smtpPort = await nextFreePort(SMTP_FROM, taken);
  const endpointPort = await nextFreePort(ENDPOINT_FROM, taken);
  const mailServer = await startMailServer(smtpPort, events);
  const endpoint = await startEndpoint(endpointPort, events);
  return {
    smtpPort,
    endpointUrl: `http://127.0.0.1:${endpointPort}/notifications`,
    close: async () => {
      endpoint.closeAllConnections();
      endpoint.close();
      await new Promise<void>((resolve) => mailServer.close(resolve));
    },
  };
}
