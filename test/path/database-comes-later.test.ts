// A service that is started while MongoDB is away, for longer than the driver waits, works once it is there.
import { connect, createServer } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "#deploy/local/ports.ts";
import { StoreUnavailable } from "#shared/errors.ts";
import { createLog } from "#shared/log.ts";
import { connectStore } from "#shared/store/connection.ts";
import { testBacking } from "#test/support/backing.ts";
import { eventually } from "#test/support/eventually.ts";

it("is connected by itself after its first connect has failed", async () => {
  const backing = new URL(testBacking().mongodbUri.replace(/,[^/]+/, ""));
  const port = await freePort();
  const store = connectStore(`mongodb://127.0.0.1:${port}/later?directConnection=true`, createLog("test", "silent"));
  onTestFinished(() => store.close());
  await expect(store.ping()).rejects.toThrow(StoreUnavailable);
  await expect(store.ping()).rejects.toThrow(StoreUnavailable);

  const way = createServer((socket) => {
    const onward = connect(Number(backing.port), backing.hostname);
    for (const end of [socket, onward]) end.on("error", () => undefined);
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => way.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => void way.close());
  const isThere = (): Promise<boolean> =>
    store.ping().then(
      () => true,
      () => false,
    );
  expect(await eventually(isThere, 30_000)).toBe(true);
});
