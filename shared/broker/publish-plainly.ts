// amqplib's `publish` makes the headers of each message the prototype of another object: for V8 that is a new kind of object each
// time, kept in the old generation, and its slow way of reading one. What it does beside that is done here with plain objects.
// What this reaches for is not in amqplib's types: a version without it publishes nothing, which no test passes.
import type { ConfirmChannel, Options } from "amqplib";

export interface Publication {
  exchange: string;
  routingKey: string;
  body: Buffer;
  options: Options.Publish;
}

type OnConfirm = (error: Error | null) => void;

interface Sender {
  sendMessage(fields: object, properties: object, content: Buffer): boolean;
  pushConfirmCallback(onConfirm: OnConfirm): void;
}

/** @throws IllegalOperationError (amqplib's) where the channel is closed. */
export function publishPlainly(channel: ConfirmChannel, publication: Publication, onConfirm: OnConfirm): void {
  if (!isSender(channel)) throw new Error("amqplib's channel is not what it was: see publish-plainly.ts");
  const fields = fieldsOf(publication);
  channel.sendMessage(fields, fields, publication.body);
  channel.pushConfirmCallback(onConfirm);
}

function isSender(channel: object): channel is Sender {
  return "sendMessage" in channel && "pushConfirmCallback" in channel;
}

/** The method's fields and the message's properties in one: no name is in both, and each of amqplib's encoders takes its own. */
function fieldsOf({ exchange, routingKey, options }: Publication): object {
  return {
    exchange,
    routingKey,
    mandatory: options.mandatory === true,
    immediate: false,
    ticket: undefined,
    contentType: options.contentType,
    contentEncoding: undefined,
    headers: options.headers,
    deliveryMode: options.persistent === true ? 2 : 1,
    priority: undefined,
    correlationId: options.correlationId,
    replyTo: options.replyTo,
    expiration: options.expiration,
    messageId: options.messageId,
    timestamp: undefined,
    type: options.type,
    userId: undefined,
    appId: undefined,
    clusterId: undefined,
  };
}
