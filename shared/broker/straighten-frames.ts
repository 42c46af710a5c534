// amqplib takes each frame through a stream of its channel and a multiplexer, writes it to the socket by itself (three system calls
// for a message and its acknowledgement), and copies all that comes in. Here frames go straight to the socket, those of one turn of
// the event loop in one write, and what comes in is copied only behind a frame that is not whole yet.
import type { ChannelModel } from "amqplib";
import { Duplex } from "node:stream";
import { writeTogether } from "#shared/network/write-together.ts";
import { withoutHeaders } from "./without-headers.ts";

interface FrameSink {
  write(frame: Buffer): boolean;
  end(): unknown;
}

/** Of amqplib's connection, but not in its types. */
interface Connection {
  readonly stream: Duplex;
  readonly channels: ({ buffer: FrameSink } | null)[];
  freshChannel(...args: unknown[]): number;
  recvFrame(): unknown;
  /** What came in and is not taken apart yet. */
  rest: Buffer;
  /** For the heartbeat. */
  recvSinceLastCheck: boolean;
}

/**
 * Before its channels are made.
 *
 * @throws Error where amqplib has no longer what this reaches for.
 */
export function straightenFrames(model: ChannelModel): void {
  const connection: object = model.connection;
  if (!isConnection(connection)) throw new Error("amqplib's connection is not what it was: see straighten-frames.ts");
  writeTogether(connection.stream);
  writeStraight(connection);
  readWithoutCopy(connection);
}

function isConnection(connection: object): connection is Connection {
  const known = ["channels", "freshChannel", "recvFrame", "rest", "recvSinceLastCheck"];
  return "stream" in connection && connection.stream instanceof Duplex && known.every((name) => name in connection);
}

/** The order of a channel's frames stays; so does what is awaited, for we publish by confirms and never wait for `drain`. */
function writeStraight(connection: Connection): void {
  const freshChannel = connection.freshChannel.bind(connection);
  connection.freshChannel = (...args) => {
    const number = freshChannel(...args);
    const channel = connection.channels[number];
    const own = channel?.buffer;
    if (channel && own) channel.buffer = { write: (frame) => connection.stream.write(frame), end: () => own.end() };
    return number;
  };
}

function readWithoutCopy(connection: Connection): void {
  const recvFrame = connection.recvFrame.bind(connection);
  connection.recvFrame = () => {
    if (connection.rest.length > 0) return readable(connection, recvFrame);
    const incoming = connection.stream.read() as Buffer | null;
    if (incoming === null) return false;
    connection.recvSinceLastCheck = true;
    connection.rest = incoming;
    return readable(connection, recvFrame);
  };
}

/** The next frame. A message whose headers are too deep to be read comes without them. */
function readable(connection: Connection, recvFrame: () => unknown): unknown {
  const incoming = connection.rest;
  try {
    return recvFrame();
  } catch (error) {
    const bare = error instanceof RangeError ? withoutHeaders(incoming) : undefined;
    if (bare === undefined) throw error;
    connection.rest = bare;
    return recvFrame();
  }
}
