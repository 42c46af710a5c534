// A database that was set up anew, or restored from copied files, counts its elections from where those were. The driver takes
// a primary with a lower count than it has seen for one that was deposed, for as long as the process runs.
import type { TopologyDescription } from "mongodb";

/** Far above the 10 s after which a primary that lost its majority steps down. */
const DEPOSED_FOR_MS = 30_000;

/** By name: the class belongs to the driver, which is loaded later than this. */
const isDeposed = ({ servers }: TopologyDescription): boolean =>
  [...servers.values()].some(({ error }) => error?.name === "MongoStalePrimaryError");

const hasPrimary = ({ servers }: TopologyDescription): boolean =>
  [...servers.values()].some(({ isWritable }) => isWritable);

/** Is told what the driver sees, and calls `onReplaced` once there has been no primary but a deposed one for long. */
export function watchForReplaced(onReplaced: () => void): (seen: TopologyDescription) => void {
  let timer: NodeJS.Timeout | undefined;
  return (seen) => {
    if (hasPrimary(seen)) {
      clearTimeout(timer);
      timer = undefined;
    } else if (isDeposed(seen)) {
      // What the driver says in between, of a question that failed, changes nothing.
      timer ??= setTimeout(() => {
        timer = undefined;
        onReplaced();
      }, DEPOSED_FOR_MS).unref();
    }
  };
}
