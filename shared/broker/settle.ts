// The one place that acknowledges (design, Rules 1): called after everything that follows from a message is confirmed.
// What a channel acknowledges in one turn goes out together: one frame for all up to the first message that is still in
// hand, and one for each behind that. A quorum queue then has one entry in its log where it would have many.
import type { Channel, Message } from "amqplib";
import type { Held } from "./held.ts";

/** Done with: the broker forgets it, with the last part of a pack. A lost delivery is with somebody else by now. */
export function acknowledge(held: Held): void {
  if (held.isLost) return;
  const message = held.settle();
  if (message !== undefined) quietly(() => held.channel.ack(message));
}

/** Back to its queue, not begun or not to be settled: marked as redelivered from now on. */
export function handBack(held: Held): void {
  if (!held.isLost) quietly(() => held.channel.nack(held.raw, false, true));
}

/** To whoever takes it next, with all parts of its message: what is still done for it here comes to nothing. */
export function giveBack({ whole }: Held): void {
  handBack(whole);
  whole.lose();
}

type Settling = Pick<Channel, "consume" | "ack" | "nack" | "close">;

/** What one channel has given out, by its delivery tags: they count up, over all that consume on it. */
class Tags {
  readonly #channel: Settling;
  /** In hand, oldest first. */
  readonly #inHand = new Set<number>();
  #due: Message[] = [];

  constructor(channel: Settling) {
    this.#channel = channel;
  }

  given({ fields }: Message): void {
    this.#inHand.add(fields.deliveryTag);
  }

  settled({ fields }: Message): void {
    this.#inHand.delete(fields.deliveryTag);
  }

  acknowledge(message: Message): void {
    if (this.#due.push(message) === 1) process.nextTick(() => this.flush());
  }

  flush(): void {
    const due = this.#due;
    this.#due = [];
    for (const message of due) this.settled(message);
    const [oldest = Infinity] = this.#inHand;
    let last: Message | undefined;
    for (const message of due) {
      if (message.fields.deliveryTag > oldest) quietly(() => this.#channel.ack(message));
      else if (last === undefined || message.fields.deliveryTag > last.fields.deliveryTag) last = message;
    }
    const upTo = last;
    if (upTo !== undefined) quietly(() => this.#channel.ack(upTo, true));
  }
}

/** Makes a channel acknowledge in groups; before it closes it sends what is due. */
export function settleTogether(channel: Settling): void {
  const own: Settling = {
    consume: channel.consume.bind(channel),
    ack: channel.ack.bind(channel),
    nack: channel.nack.bind(channel),
    close: channel.close.bind(channel),
  };
  const tags = new Tags(own);
  const grouped: Settling = {
    consume: (queue, onMessage, options) =>
      own.consume(
        queue,
        (message) => {
          if (message !== null) tags.given(message);
          onMessage(message);
        },
        options,
      ),
    ack: (message) => tags.acknowledge(message),
    nack: (message, ...rest) => {
      tags.settled(message);
      own.nack(message, ...rest);
    },
    close: () => {
      tags.flush();
      return own.close();
    },
  };
  Object.assign(channel, grouped);
}

/** A channel that closes at this very moment has returned the delivery by itself. */
function quietly(settle: () => void): void {
  try {
    settle();
  } catch (error) {
    if (!(error instanceof Error && error.name === "IllegalOperationError")) throw error;
  }
}
