import { SpanStatusCode } from "@opentelemetry/api";
import { beforeEach, expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { ConfigurationStale } from "#shared/errors.ts";
import { createLog } from "#shared/log.ts";
import type { Account, Configuration } from "#shared/routing/configuration.ts";
import { fixedConfiguration } from "#test/support/fixed-configuration.ts";
import { takeSpans } from "#test/support/recorded-spans.ts";
import { createRest } from "./rest.ts";
import type { Accept } from "./submission.ts";

const account: Account = { _id: "acme", customerNo: "1", sourceIps: [], limits: { waitingMails: 9 } };
const job = {
  subject: { content: "Subject" },
  body: { content: "Hello" },
  recipients: [{ mail: { to: [{ email: "to@example.com" }] } }],
  mail: { from: { email: "info@acme.example" } },
};

async function submit(accept: Accept) {
  const app = createRest({
    authenticator: { byPassword: async () => ({ kind: "known", account }) },
    accept,
    configuration: fixedConfiguration({} as Configuration),
    clock: systemClock,
    log: createLog("test", "silent"),
  });
  const headers = { authorization: "Basic YWNtZTpzZWNyZXQ=", "content-type": "application/json" };
  const answer = await app.inject({ method: "POST", url: "/v1/jobs", headers, payload: JSON.stringify(job) });
  return { status: answer.statusCode, span: takeSpans().find(({ name }) => name === "POST /v1/jobs") };
}

beforeEach(() => void takeSpans());

it("traces a submission that throws as failed, without a status that nobody was told", async () => {
  const { status, span } = await submit(() => Promise.reject(new ConfigurationStale("not confirmed")));
  expect(status).toBe(503);
  expect(span?.status.code).toBe(SpanStatusCode.ERROR);
  expect(span?.attributes["error.type"]).toBe("ConfigurationStale");
  expect(span?.attributes).not.toHaveProperty("http.response.status_code");
});

it("traces an answer of 503 with its status as the error's type", async () => {
  const { span } = await submit(async () => ({ kind: "unavailable", reason: "away", retryAfterSeconds: 5 }));
  expect(span?.status.code).toBe(SpanStatusCode.ERROR);
  expect(span?.attributes).toMatchObject({ "error.type": "503", "http.response.status_code": 503 });
});

it("traces an accepted submission as no failure", async () => {
  const { span } = await submit(async () => ({ kind: "accepted", jobId: "job-1" }));
  expect(span?.status.code).toBe(SpanStatusCode.UNSET);
  expect(span?.attributes).toMatchObject({ "http.response.status_code": 202 });
  expect(span?.attributes).toMatchObject({ "url.path": "/v1/jobs", "url.scheme": "http" });
  expect(span?.attributes).not.toHaveProperty("error.type");
});
