// The bodies that attempts have in hand of those that travel in the store: a replica holds a bounded number of their bytes,
// whatever its lanes and their connections. Mails of one job share one.
import { createTurns } from "#shared/turns.ts";
import { ByteRoom } from "./byte-room.ts";

const MIB = 1_048_576;
/** Up to this size bodies have a room of their own, that large ones do not take from them. */
const MOST_SMALL_BYTES = 2 * MIB;
const SMALL = { total: 48 * MIB, each: 8 * MIB };
const LARGE = { total: 80 * MIB, each: 24 * MIB };

export interface StoredBody {
  id: string;
  bytes: number;
}

export interface HeldBody {
  /** Undefined where it is no longer there. */
  read(): Promise<Buffer | undefined>;
  leave(): void;
}

interface Entry {
  /** One for each attempt that has it in hand; the first is charged with it. */
  owners: object[];
  bytes: number;
  room: ByteRoom;
  isLarge: boolean;
  hasRoom: Promise<boolean>;
  content: Promise<Buffer | undefined> | undefined;
}

export class Bodies {
  readonly #fetch: (id: string) => Promise<Buffer | undefined>;
  readonly #small = new ByteRoom(SMALL);
  readonly #large = new ByteRoom(LARGE);
  readonly #entries = new Map<string, Entry>();
  /** While a large body is read there are two copies of it. */
  readonly #inTurn = createTurns();

  constructor(fetch: (id: string) => Promise<Buffer | undefined>) {
    this.#fetch = fetch;
  }

  /** Room for a body that is on its way to `owner`; `put-back`: there was none for so long. */
  async hold({ id, bytes }: StoredBody, owner: object, patienceMs: number): Promise<HeldBody | "put-back"> {
    const entry = this.#entries.get(id) ?? this.#enter(bytes, owner, patienceMs);
    this.#entries.set(id, entry);
    entry.owners.push(owner);
    if (await entry.hasRoom) return { read: () => this.#read(id, entry), leave: () => this.#leave(id, entry, owner) };
    this.#entries.delete(id);
    return "put-back";
  }

  #enter(bytes: number, owner: object, patienceMs: number): Entry {
    const isLarge = bytes > MOST_SMALL_BYTES;
    const room = isLarge ? this.#large : this.#small;
    const hasRoom = room.enter(owner, bytes, patienceMs);
    return { owners: [], bytes, room, isLarge, hasRoom, content: undefined };
  }

  #read(id: string, entry: Entry): Promise<Buffer | undefined> {
    const fetch = (): Promise<Buffer | undefined> => this.#fetch(id);
    entry.content ??= (entry.isLarge ? this.#inTurn(fetch) : fetch()).catch((error: unknown) => {
      entry.content = undefined;
      throw error;
    });
    return entry.content;
  }

  #leave(id: string, { owners, room, bytes }: Entry, owner: object): void {
    const [charged] = owners;
    owners.splice(owners.indexOf(owner), 1);
    const [next] = owners;
    if (next === undefined) {
      this.#entries.delete(id);
      room.leave(owner, bytes);
    } else if (charged !== undefined && next !== charged) room.charge(next, { insteadOf: charged, bytes });
  }
}
