// A TCP proxy before a real server, to cut, stall and slow down what runs through it.
import type { Socket } from "node:net";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface TcpProxy {
  readonly port: number;
  /** Resets all connections; new ones are taken. */
  cut(): void;
  /** Passes nothing on, in either direction; connections stay and new ones are taken. */
  stall(): void;
  /** Waits before each piece that is passed on. */
  slow(delayMs: number): void;
  /** Passes on again what comes, as it comes. */
  flow(): void;
  close(): Promise<void>;
}

interface State {
  isStalled: boolean;
  delayMs: number;
  readonly sockets: Set<Socket>;
  readonly resumed: Set<() => void>;
}

async function passOn(state: State, from: Socket, to: Socket): Promise<void> {
  for await (const piece of from) {
    if (state.isStalled) await new Promise<void>((resolve) => state.resumed.add(resolve));
    if (state.delayMs > 0) await sleep(state.delayMs);
    if (to.destroyed) return;
    if (!to.write(piece as Buffer)) await new Promise((resolve) => to.once("drain", resolve).once("close", resolve));
  }
  to.end();
}

function join(state: State, client: Socket, server: Socket): void {
  for (const [socket, other] of [
    [client, server],
    [server, client],
  ] as const) {
    state.sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => other.destroy());
    socket.on("close", () => {
      state.sockets.delete(socket);
      other.destroy();
    });
    passOn(state, socket, other).catch(() => other.destroy());
  }
}

export async function startTcpProxy(target: { host?: string; port: number }): Promise<TcpProxy> {
  const state: State = { isStalled: false, delayMs: 0, sockets: new Set(), resumed: new Set() };
  const server = createServer((client) => {
    join(state, client, connect({ host: target.host ?? "127.0.0.1", port: target.port }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => {
    for (const socket of state.sockets) socket.resetAndDestroy();
  };
  const flow = (): void => {
    state.isStalled = false;
    state.delayMs = 0;
    for (const resume of state.resumed) resume();
    state.resumed.clear();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    stall: () => void (state.isStalled = true),
    slow: (delayMs) => void (state.delayMs = delayMs),
    flow,
    close: async () => {
      cut();
      flow();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
