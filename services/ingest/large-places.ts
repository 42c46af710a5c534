// Bounds how many large messages are on their way in at once, whoever sends them: what they take of memory is theirs alone.
import type { Clock } from "#shared/clock.ts";
import type { LargePlaces } from "./smtp-message.ts";

interface Waiter {
  give: (release: () => void) => void;
}

/** `places` large messages at once; one that finds none free waits in turn, at most `waitMs`. */
export function createLargePlaces(places: number, waitMs: number, clock: Clock): LargePlaces {
  let free = places;
  const waiting: Waiter[] = [];
  const release = (): void => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next.give(once(release));
  };
  return {
    take: async () => {
      if (free > 0) {
        free -= 1;
        return once(release);
      }
      const ended = new AbortController();
      return new Promise((resolve) => {
        const waiter: Waiter = {
          give: (place) => {
            ended.abort();
            resolve(place);
          },
        };
        waiting.push(waiter);
        void clock.sleep(waitMs, ended.signal).then(
          () => {
            waiting.splice(waiting.indexOf(waiter), 1);
            resolve(undefined);
          },
          () => undefined,
        );
      });
    },
  };
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
}
