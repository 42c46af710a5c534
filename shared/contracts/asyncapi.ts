// The AsyncAPI 3 document of what applications may say to and hear from Waypost over the broker (operator contract,
// Broker contract for applications), made from the schemas that the services themselves read messages with.
import { z } from "zod";
import { EXCHANGES, ROUTING_KEYS } from "#shared/broker/topology.ts";
import { eventMessageSchema } from "./event.ts";
import { jobRequestSchema } from "./job-request.ts";
import { problemSchema } from "./problem.ts";

/** A body larger than this is refused: RabbitMQ 4 takes 16 MiB by default, with room for what becomes of it. */
export const MAX_SUBMISSION_BYTES = 12 * 1024 * 1024;

export const submissionReplySchema = z.union([
  z.strictObject({ jobId: z.string() }),
  z.strictObject({ error: problemSchema }),
]);
export type SubmissionReply = z.infer<typeof submissionReplySchema>;

const BINDING_VERSION = "0.3.0";

/** AsyncAPI's own schema format is a superset of JSON Schema draft 7. */
function jsonSchemaOf(schema: z.ZodType, io: "input" | "output"): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, target: "draft-7", unrepresentable: "any" });
  return rest;
}

const exchangeBinding = (name: string, type: "direct" | "topic"): object => ({
  amqp: {
    is: "routingKey",
    exchange: { name, type, durable: true, autoDelete: false, vhost: "/" },
    bindingVersion: BINDING_VERSION,
  },
});

const CHANNELS = {
  submissions: {
    address: ROUTING_KEYS.submission,
    title: "Jobs for Waypost",
    description: `Exchange \`${EXCHANGES.submissions}\` (direct, durable), routing key \`${ROUTING_KEYS.submission}\`.`,
    messages: { jobRequest: { $ref: "#/components/messages/jobRequest" } },
    bindings: exchangeBinding(EXCHANGES.submissions, "direct"),
  },
  replies: {
    address: null,
    title: "Answers to jobs",
    description: "The queue that `reply_to` names: direct reply-to, or one outside of Waypost's own.",
    messages: { submissionReply: { $ref: "#/components/messages/submissionReply" } },
  },
  events: {
    address: "{account}.{type}.{subType}",
    title: "Tracking points",
    description: `Exchange \`${EXCHANGES.events}\` (topic, durable); the routing key in lower case, e.g. \`acme.delivered.ok\`. Anyone may bind a queue.`,
    parameters: {
      account: { description: "Name of the account." },
      type: { description: "Type of the tracking point, in lower case." },
      subType: { description: "Sub-type of the tracking point, in lower case." },
    },
    messages: { event: { $ref: "#/components/messages/event" } },
    bindings: exchangeBinding(EXCHANGES.events, "topic"),
  },
};

const OPERATIONS = {
  receiveJob: {
    action: "receive",
    title: "Submit a job",
    channel: { $ref: "#/channels/submissions" },
    messages: [{ $ref: "#/channels/submissions/messages/jobRequest" }],
    bindings: { amqp: { deliveryMode: 2, mandatory: true, ack: true, bindingVersion: BINDING_VERSION } },
    reply: {
      channel: { $ref: "#/channels/replies" },
      messages: [{ $ref: "#/channels/replies/messages/submissionReply" }],
    },
  },
  sendEvent: {
    action: "send",
    title: "Hear of tracking points",
    channel: { $ref: "#/channels/events" },
    messages: [{ $ref: "#/channels/events/messages/event" }],
    bindings: { amqp: { deliveryMode: 2, bindingVersion: BINDING_VERSION } },
  },
};

const TRACE_HEADERS = {
  type: "object",
  properties: {
    traceparent: {
      type: "string",
      pattern: "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
      description: "W3C trace context: continues the caller's trace.",
    },
  },
};

function messages(): object {
  return {
    jobRequest: {
      name: "jobRequest",
      title: "A JobRequest",
      contentType: "application/json",
      description: `At most ${MAX_SUBMISSION_BYTES} bytes; larger jobs by REST or SMTP.`,
      traits: [{ $ref: "#/components/messageTraits/traced" }],
      payload: { $ref: "#/components/schemas/jobRequest" },
      "x-amqp-properties": {
        user_id: "Required: the connection's user, and some account's brokerUser.",
        message_id: "Required: the idempotency key.",
        content_type: "application/json",
        reply_to: "Where the answer goes; without it a refused job goes to the dead letters.",
        correlation_id: "Comes back with the answer.",
      },
    },
    submissionReply: {
      name: "submissionReply",
      title: "The job's id, or why it was refused",
      contentType: "application/json",
      payload: { $ref: "#/components/schemas/submissionReply" },
      "x-amqp-properties": { correlation_id: "That of the job." },
    },
    event: {
      name: "event",
      title: "A tracking point",
      contentType: "application/json",
      description: "Delivered at least once: `notification.meta.tag` tells repetitions.",
      traits: [{ $ref: "#/components/messageTraits/traced" }],
      payload: { $ref: "#/components/schemas/event" },
    },
  };
}

export function createAsyncApi(): object {
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Waypost over the broker",
      version: "1",
      description: "Submit jobs to a relay service for transactional email, and hear what became of each mail.",
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    defaultContentType: "application/json",
    servers: { broker: { host: "localhost:5672", protocol: "amqp", protocolVersion: "0-9-1" } },
    channels: CHANNELS,
    operations: OPERATIONS,
    components: {
      messages: messages(),
      messageTraits: { traced: { headers: TRACE_HEADERS } },
      schemas: {
        jobRequest: jsonSchemaOf(jobRequestSchema, "input"),
        submissionReply: jsonSchemaOf(submissionReplySchema, "output"),
        event: jsonSchemaOf(eventMessageSchema, "output"),
      },
    },
  };
}
