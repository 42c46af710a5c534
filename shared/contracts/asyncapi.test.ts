import { Ajv } from "ajv";
import specs from "@asyncapi/specs";
import { describe, expect, it } from "vitest";
import { createAsyncApi } from "./asyncapi.ts";
import { makeEvent } from "./make-event.ts";

interface Document {
  components: { schemas: Record<string, object>; messages: Record<string, object> };
}

const document = createAsyncApi() as Document;
const check = (name: string, value: unknown): boolean =>
  new Ajv({ strict: false, validateFormats: false }).validate(document.components.schemas[name] ?? false, value);

it("is an AsyncAPI 3 document", () => {
  const ajv = new Ajv({ strict: false, validateFormats: false, logger: false, meta: false });
  const schema = Object.entries(specs.schemas).find(([version]) => version === "3.0.0")?.[1] ?? {};
  const { $schema: _, ...rest } = schema as Record<string, unknown>;
  ajv.validate(rest, JSON.parse(JSON.stringify(document)));
  expect(ajv.errors ?? []).toEqual([]);
});

it("has no reference that leads nowhere", () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map((match) => match[1] ?? "");
  expect(references.length).toBeGreaterThan(5);
  const find = (reference: string): unknown =>
    reference.split("/").reduce<unknown>((value, key) => (value as Record<string, unknown>)?.[key], document);
  expect(references.filter((reference) => find(reference) === undefined)).toEqual([]);
});

describe("its schemas", () => {
  const job = {
    subject: { content: "Hello" },
    body: { content: "Hi" },
    recipients: [{ mail: { to: [{ email: "To <to@example.com>" }], xHeaders: { "X-One": "1" } } }],
    mail: { from: { email: "a@acme.example" } },
    notification: { endPoint: { url: "https://e.example/", headers: { "X-Two": "2" } } },
  };

  it("take a job and refuse one without a subject or with an unknown field", () => {
    expect(check("jobRequest", job)).toBe(true);
    expect(check("jobRequest", { ...job, subject: undefined })).toBe(false);
    expect(check("jobRequest", { ...job, unknown: 1 })).toBe(false);
  });

  it("take both kinds of answer and no third", () => {
    expect(check("submissionReply", { jobId: "1" })).toBe(true);
    expect(check("submissionReply", { error: { type: "about:blank", title: "t", status: 422, detail: "d" } })).toBe(
      true,
    );
    expect(check("submissionReply", { jobId: "1", error: {} })).toBe(false);
  });

  it("take an event as the services make it", () => {
    const head = {
      jobId: "1",
      account: "acme",
      customerNo: "4711",
      receivedTs: "2026-11-24T20:00:00.000Z",
      deadline: "2026-11-26T20:00:00.000Z",
      envelopeFrom: "a@acme.example",
      sender: "a@acme.example",
      from: "a@acme.example",
      bulk: false,
    };
    const event = makeEvent(
      { head, mailId: "m", email: "to@example.com", recipient: "to@example.com", size: 9 },
      { point: "DELIVERED", attempt: 1, at: new Date(0), smtp: { dsn: "2.0.0", relay: "relay.example" } },
    );
    expect(check("event", event.body)).toBe(true);
    expect(check("event", { ...event.body, version: "2" })).toBe(false);
  });
});
