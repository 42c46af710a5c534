// Bounds how many large messages are on their way in at once: what they take of memory is theirs alone. One owner has half of
// the places at most (of three, two): however slowly he sends, others have theirs.
import type { Clock } from "#shared/clock.ts";
import type { LargePlaces } from "./smtp-message.ts";

interface Waiter {
  owner: string;
  give: (release: () => void) => void;
}

export interface SharedPlaces {
  of(owner: string): LargePlaces;
}

/** `places` large messages at once; one that finds none free for its owner waits in turn, at most `waitMs`. */
export function createLargePlaces(places: number, waitMs: number, clock: Clock): SharedPlaces {
  const share = Math.ceil(places / 2);
  const taken = new Map<string, number>();
  const waiting: Waiter[] = [];
  let free = places;
  const ofOwner = (owner: string): number => taken.get(owner) ?? 0;
  const mayBegin = (owner: string): boolean => free > 0 && ofOwner(owner) < share;
  const begin = (owner: string): (() => void) => {
    free -= 1;
    taken.set(owner, ofOwner(owner) + 1);
    return once(() => end(owner));
  };
  const end = (owner: string): void => {
    free += 1;
    if (ofOwner(owner) === 1) taken.delete(owner);
    else taken.set(owner, ofOwner(owner) - 1);
    const next = waiting.findIndex((waiter) => mayBegin(waiter.owner));
    for (const waiter of next === -1 ? [] : waiting.splice(next, 1)) waiter.give(begin(waiter.owner));
  };
  const waitFor = (owner: string): Promise<(() => void) | undefined> => {
    const ended = new AbortController();
    return new Promise((resolve) => {
      const waiter: Waiter = {
        owner,
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
  };
  return { of: (owner) => ({ take: async () => (mayBegin(owner) ? begin(owner) : waitFor(owner)) }) };
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
}
