import { afterEach, expect, it, vi } from "vitest";
import { isRetriable } from "#shared/errors.ts";
import type { Store } from "./connection.ts";
import { createContents } from "./contents.ts";

afterEach(() => void vi.useRealTimers());

it("stops reading a stored body when the database answers neither for the next piece nor for the end", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const silent = (): Promise<never> => new Promise(() => undefined);
  const cursor = { next: silent, close: silent };
  const contents = createContents({ collection: () => ({ find: () => cursor }) } as unknown as Store);
  const read = Array.fromAsync(contents.read({ kind: "stored", id: "c", bytes: 9 }));
  read.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(30_000);
  await expect(read).rejects.toSatisfy(isRetriable);
});
