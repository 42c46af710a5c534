import type { TopologyDescription } from "mongodb";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { watchForReplaced } from "./renewal.ts";

const seeing = (...servers: readonly object[]): TopologyDescription =>
  ({ servers: new Map(servers.map((server, index) => [`host:${index}`, server])) }) as unknown as TopologyDescription;
const DEPOSED = { isWritable: false, error: Object.assign(new Error("stale"), { name: "MongoStalePrimaryError" }) };
const AWAY = { isWritable: false, error: new Error("connect ECONNREFUSED") };
const PRIMARY = { isWritable: true, error: null };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function watched(): { replaced: () => number; see: (seen: TopologyDescription) => void } {
  const onReplaced = vi.fn<() => void>();
  return { replaced: () => onReplaced.mock.calls.length, see: watchForReplaced(onReplaced) };
}

it("takes a database for replaced whose primary has passed for deposed for 30 s", () => {
  const { replaced, see } = watched();
  see(seeing(DEPOSED, AWAY));
  vi.advanceTimersByTime(20_000);
  see(seeing(AWAY, AWAY));
  vi.advanceTimersByTime(9_000);
  expect(replaced()).toBe(0);
  vi.advanceTimersByTime(1_000);
  expect(replaced()).toBe(1);
});

it("lets a deposed primary be where another is elected in time", () => {
  const { replaced, see } = watched();
  see(seeing(DEPOSED, AWAY));
  vi.advanceTimersByTime(10_000);
  see(seeing(DEPOSED, PRIMARY));
  see(seeing(AWAY, PRIMARY));
  vi.advanceTimersByTime(60_000);
  expect(replaced()).toBe(0);
});

it("waits for a database that is away", () => {
  const { replaced, see } = watched();
  see(seeing(AWAY));
  vi.advanceTimersByTime(60_000);
  expect(replaced()).toBe(0);
});
