// amqplib's `publish` makes the headers of each message the prototype of another object: for V8 that is a new kind of object each
// time, kept in the old generation, and its slow way of reading one. What it does beside that is done here with plain objects.
import type { ConfirmChannel, Options } from "amqplib";

export interface Sent {
  exchange: string;
  routingKey: string;
  body: Buffer;
  options: Options.Publish;
}

type OnConfirm = (error: Error | null) => void;

/** Of amqplib's channel, but not in its types. */
interface Sender {
  sendMessage(fields: object, properties: object, content: Buffer): boolean;
  pushConfirmCallback(onConfirm: OnConfirm): void;
}

/** @throws IllegalOperationError (amqplib's) where the channel is closed. */
export function sendMessage(channel: ConfirmChannel, sent: Sent, onConfirm: OnConfirm): void {
  if (!isSender(channel)) {
    channel.publish(sent.exchange, sent.routingKey, sent.body, sent.options, onConfirm);
    return;
  }
  const fields = fieldsOf(sent);
  channel.sendMessage(fields, fields, sent.body);
  channel.pushConfirmCallback(onConfirm);
}

/** Where they are no longer there, publishing is as before. */
function isSender(channel: object): channel is Sender {
  return "sendMessage" in channel && "pushConfirmCallback" in channel;
}

/** The method's fields and the message's properties in one: no name is in both, and each of amqplib's encoders takes its own. */
function fieldsOf({ exchange, routingKey, options }: Sent): object {
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
