// Loaded into a service by `--import`: the process kills itself right before an operation that a test names, so that what
// came before it is done and what comes after it is not. The file `<CRASH_POINTS>/<service>` names it, once:
// `ack router.due 1`, `publish waypost.events 3`, `insertMany ledger 1` (what, on what, the how manieth from now).
import { existsSync, readFileSync, unlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import type { ConsumeMessage } from "amqplib";
import { Collection } from "mongodb";

const directory = process.env["CRASH_POINTS"] ?? "";
const file = join(directory, basename(dirname(process.argv[1] ?? "")));
let passed = 0;

/** Called before each operation that may be named. */
function pass(what: string, on: string): void {
  if (!existsSync(file)) return;
  const [named, prefix = "", nth = "1"] = readFileSync(file, "utf8").trim().split(" ");
  if (named !== what || !on.startsWith(prefix)) return;
  passed += 1;
  if (passed < Number(nth)) return;
  unlinkSync(file);
  process.kill(process.pid, "SIGKILL");
}

type Method = (this: object, ...given: unknown[]) => unknown;

/** Puts `before` in front of a method of a class. */
function precede(prototype: object, name: string, before: (self: object, given: unknown[]) => void): void {
  const method = Reflect.get(prototype, name) as Method;
  Reflect.set(prototype, name, function (this: object, ...given: unknown[]) {
    before(this, given);
    return method.apply(this, given);
  });
}

const channels = createRequire(import.meta.url)(
  join(import.meta.dirname, "../../node_modules/amqplib/lib/channel_model.js"),
) as Record<"Channel", { prototype: object }>;

/** The mailbox that a message came from. */
const mailboxes = new WeakMap<object, string>();
type Consumer = (message: ConsumeMessage | null) => void;

precede(channels.Channel.prototype, "consume", (_channel, given) => {
  const [queue, consumer] = given as [string, Consumer];
  given[1] = (message: ConsumeMessage | null) => {
    if (message !== null) mailboxes.set(message, queue);
    consumer(message);
  };
});
precede(channels.Channel.prototype, "ack", (_channel, [message]) => {
  pass("ack", mailboxes.get(message as ConsumeMessage) ?? "");
});
// What every way of publishing comes to: ours leaves amqplib's `publish` out (publish-plainly.ts).
precede(channels.Channel.prototype, "sendMessage", (_channel, [fields]) => {
  pass("publish", (fields as { exchange: string }).exchange);
});
for (const name of ["insertMany", "insertOne", "updateOne", "bulkWrite"]) {
  precede(Collection.prototype, name, (self) => pass(name, (self as Collection).collectionName));
}
