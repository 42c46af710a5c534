// What is written to a socket in one turn of the event loop goes out together, in one system call; nothing waits longer.
import type { Duplex } from "node:stream";

export function writeTogether(socket: Duplex): void {
  const write = socket.write.bind(socket);
  let isCorked = false;
  const uncork = (): void => {
    isCorked = false;
    socket.uncork();
  };
  const corkThenWrite = (...args: Parameters<typeof write>): boolean => {
    if (!isCorked) {
      isCorked = true;
      socket.cork();
      setImmediate(uncork);
    }
    return write(...args);
  };
  Object.assign(socket, { write: corkThenWrite });
}
