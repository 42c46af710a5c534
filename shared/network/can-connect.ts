// Whether anybody listens at an address: a connection that is opened and closed at once.
import { connect } from "node:net";

export interface Place {
  host: string;
  port: number;
}

export function canConnect({ host, port }: Place, patienceMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: patienceMs });
    const end = (isOpen: boolean) => (): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once("connect", end(true)).once("error", end(false)).once("timeout", end(false));
  });
}
