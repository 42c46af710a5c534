// The OpenAPI 3.1 document of ingest, made from the schemas that check the requests.
import { z } from "zod";
import { jobRequestSchema } from "#shared/contracts/job-request.ts";
import { problemSchema } from "#shared/contracts/problem.ts";

const retryAfter = { "Retry-After": { schema: { type: "integer" }, description: "Seconds until it may go better" } };

function problem(description: string, headers?: object): object {
  return {
    description,
    ...(headers === undefined ? {} : { headers }),
    content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
  };
}

const RESPONSES = {
  202: {
    description: "The job is confirmed by the broker: it will not be lost.",
    content: {
      "application/json": {
        schema: { type: "object", properties: { jobId: { type: "string" } }, required: ["jobId"] },
      },
    },
  },
  400: problem("No JSON in UTF-8"),
  401: problem("No or wrong credentials", { "WWW-Authenticate": { schema: { type: "string" } } }),
  403: problem("The account does not submit from this address"),
  408: problem("The request did not come in time"),
  409: problem("The first submission with this Idempotency-Key is still in progress", retryAfter),
  413: problem("Over 32 MiB as a request, over 20,971,520 bytes as MIME, or too long beside the content"),
  415: problem("Not application/json in UTF-8"),
  422: problem("Mistakes, each with its path in `errors`; or an Idempotency-Key that came before with another body"),
  429: problem("Over a limit of the account, or too many failed logins", retryAfter),
  431: problem("The headers are too long"),
  500: problem("An error of Waypost's own"),
  503: problem("The broker cannot confirm, or another backing service is away", retryAfter),
};

function schemaOf(schema: z.ZodType): object {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return rest;
}

const description = { type: "object", additionalProperties: true };
const described = (summary: string): object => ({
  get: {
    summary,
    responses: { 200: { description: summary, content: { "application/json": { schema: description } } } },
  },
});

export const openApiDocument = {
  openapi: "3.1.0",
  info: {
    title: "Waypost: submission",
    version: "1",
    description: "Hands a job over. What becomes of each mail is told by push notifications.",
  },
  paths: {
    "/v1/jobs": {
      post: {
        operationId: "submitJob",
        summary: "Submit a job of 1 to 1,000 recipients",
        security: [{ basic: [] }],
        parameters: [
          {
            name: "Idempotency-Key",
            in: "header",
            schema: { type: "string", minLength: 1, maxLength: 255 },
            description: "The same key within 48 hours answers the same job id and sends nothing twice",
          },
          {
            name: "traceparent",
            in: "header",
            schema: { type: "string" },
            description: "W3C trace context; continued",
          },
        ],
        requestBody: {
          required: true,
          content: { "application/json": { schema: { $ref: "#/components/schemas/JobRequest" } } },
        },
        responses: RESPONSES,
      },
    },
    "/openapi.json": described("This document"),
    "/asyncapi.json": described("The AsyncAPI document of the broker contract"),
  },
  components: {
    securitySchemes: { basic: { type: "http", scheme: "basic" } },
    schemas: { JobRequest: schemaOf(jobRequestSchema), Problem: schemaOf(problemSchema) },
  },
};
