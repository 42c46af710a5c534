// The far ends of a soak: they count what comes and keep nothing of it.
import { createServer } from "node:http";
import type { Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { SMTPServer } from "smtp-server";
import type { PushNotification } from "#shared/contracts/push-notification.ts";
import { loopbackAddress, nameOf } from "#test/support/addresses.ts";

export interface CountingRelay {
  readonly host: string;
  readonly port: number;
  /** How often each recipient was mailed to. */
  readonly taken: ReadonlyMap<string, number>;
  open(): Promise<void>;
  close(): Promise<void>;
}

/** Refuses connections until it is opened. */
export async function createCountingRelay(port: number): Promise<CountingRelay> {
  const address = loopbackAddress();
  const taken = new Map<string, number>();
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["AUTH", "STARTTLS"],
    disableReverseLookup: true,
    logger: false,
    closeTimeout: 50,
    onData: (stream, session, callback) => {
      stream.resume();
      stream.once("end", () => {
        for (const { address: to } of session.envelope.rcptTo) taken.set(to, (taken.get(to) ?? 0) + 1);
        callback(null, "2.0.0 Ok: queued");
      });
    },
  });
  server.on("error", () => undefined);
  return {
    host: nameOf(address),
    port,
    taken,
    open: () => new Promise((resolve) => server.listen(port, address, () => resolve())),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

export interface StalledEndpoint {
  readonly url: string;
  /** The tags of each mail's end. */
  readonly ends: ReadonlyMap<string, ReadonlySet<string>>;
  readonly waiting: number;
  /** Answers from now on; what was asked before stays without an answer. */
  release(): void;
  close(): Promise<void>;
}

function note(ends: Map<string, Set<string>>, body: PushNotification): void {
  for (const { meta } of body.notifications) {
    if (meta.event.state !== "FINISHED") continue;
    const tags = ends.get(meta.mail.id) ?? new Set();
    ends.set(meta.mail.id, tags.add(meta.tag));
  }
}

/** Takes every request and answers none until it is released. */
export async function startStalledEndpoint(): Promise<StalledEndpoint> {
  const ends = new Map<string, Set<string>>();
  const sockets = new Set<Socket>();
  const state = { isStalled: true, waiting: 0 };
  const server = createServer((request, response) => {
    if (state.isStalled) {
      request.resume();
      state.waiting += 1;
      return;
    }
    void json(request).then(
      (body) => {
        note(ends, body as PushNotification);
        response.end();
      },
      () => response.destroy(),
    );
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/notifications`,
    ends,
    get waiting() {
      return state.waiting;
    },
    release: () => void (state.isStalled = false),
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
