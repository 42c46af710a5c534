// Operator contract, Administration API: described by OpenAPI 3.1 at /openapi.json, every status that can come, readable at /docs.
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";

interface Described {
  operationId: string;
  summary: string;
  parameters?: { name: string; in: string; required?: boolean }[];
  requestBody?: unknown;
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
  security: unknown[];
}

interface Document {
  openapi: string;
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, object> };
}

const byText = (a: string, b: string): number => a.localeCompare(b);

let system: System;
let document: Document;

beforeAll(async () => {
  system = await startSystem({ services: ["control"] });
  document = (await (await fetch(`${system.controlUrl}/openapi.json`)).json()) as Document;
});
afterAll(() => system.stop());

function operations(): { key: string; path: string; described: Described }[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({ key: `${method.toUpperCase()} ${path}`, path, described })),
  );
}

const A = "/v1/accounts/{account}";
const D = `${A}/domains/{domain}`;
const CALLS = [
  ["GET /v1/accounts", ""],
  [`PUT ${A}`, "409 422"],
  [`GET ${A}`, "404"],
  [`DELETE ${A}`, "404"],
  [`GET ${A}/domains`, "404"],
  [`PUT ${D}`, "404 409 422"],
  [`GET ${D}`, "404"],
  [`DELETE ${D}`, "404 409"],
  [`PUT ${D}/dkim`, "404 422"],
  [`DELETE ${D}/dkim`, "404"],
  [`PUT ${D}/relay`, "404 409 422 503"],
  [`GET ${D}/relay`, "404"],
  [`DELETE ${D}/relay`, "404 409 422"],
  [`POST ${D}/relay/verify`, "404 503"],
  [`POST ${D}/relay/suspend`, "404"],
  [`POST ${D}/relay/resume`, "404"],
  ["GET /v1/relays", ""],
  ["GET /v1/explain", "404 422 503"],
  ["GET /v1/jobs/{jobId}", "404"],
  ["GET /v1/mails/{mailId}", "404"],
  ["GET /v1/mails", "422"],
  [`GET ${A}/suppressions`, "404"],
  [`PUT ${A}/suppressions/{email}`, "404 422 503"],
  [`DELETE ${A}/suppressions/{email}`, "404 503"],
  [`GET ${A}/endpoint`, "404"],
  [`POST ${A}/endpoint/enable`, "404 503"],
  ["GET /v1/notifications/dead", ""],
  ["POST /v1/notifications/dead/replay", "404 422 503"],
  ["GET /v1/dead-letters", ""],
  ["POST /v1/dead-letters/{id}/replay", "404 409 503"],
  ["GET /v1/audit", ""],
] as const;

it.each(CALLS)("describes %s with its refusals %s and those of every call", (key, refusals) => {
  const found = operations().find((operation) => operation.key === key);
  const bodied = key.startsWith("GET") ? [] : ["413", "415"];
  const wanted = ["200", "400", "401", "500", "503", ...bodied, ...refusals.split(" ").filter(Boolean)];
  expect(Object.keys(found?.described.responses ?? {})).toEqual(expect.arrayContaining(wanted));
});

it("is readable at /docs, over plain HTTP too", async () => {
  const page = await fetch(`${system.controlUrl}/docs`);
  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  expect(page.headers.get("content-security-policy")).toContain("script-src 'self'");
  expect(page.headers.get("content-security-policy")).not.toContain("upgrade-insecure-requests");
});

it("is OpenAPI 3.1 with an operation id, a summary, a token and described responses everywhere", () => {
  expect(document.openapi).toBe("3.1.0");
  const ids = operations().map(({ described }) => described.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { key, described } of operations()) {
    expect([key, described.summary.length > 0, described.security]).toEqual([key, true, [{ token: [] }]]);
    for (const { description } of Object.values(described.responses)) expect(description).not.toBe("");
  }
});

it("names every parameter of a path", () => {
  for (const { key, path, described } of operations()) {
    const wanted = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "").toSorted(byText);
    const given = (described.parameters ?? []).filter((parameter) => parameter.in === "path");
    expect([key, given.map(({ name }) => name).toSorted(byText)]).toEqual([key, wanted]);
    expect(given.every(({ required }) => required === true)).toBe(true);
  }
});

it("refers to nothing that is not there", () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(
    ([, reference]) => reference ?? "",
  );
  expect(references.length).toBeGreaterThan(0);
  for (const reference of new Set(references)) {
    expect(document.components.schemas).toHaveProperty([reference.replace("#/components/schemas/", "")]);
  }
});

it("has no pattern that libraries of other languages cannot read", () => {
  const patterns = [...JSON.stringify(document).matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)].map(
    ([, pattern]) => JSON.parse(pattern ?? "") as string,
  );
  expect(patterns.length).toBeGreaterThan(0);
  // Properties of Unicode, \u and look-behind are ECMAScript's.
  expect(patterns.filter((pattern) => /\\[pPu]|\(\?</.test(pattern))).toEqual([]);
});

it("holds schemas that answers fit", async () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: "document", components: document.components });
  const { name, domain } = await system.account({ notification: { url: "https://hooks.example.com/" } });
  await system.control.put(`/v1/accounts/${name}/domains/${domain}/relay`, { host: "relay.example.net" });
  const asked: [string, string][] = [
    ["/v1/accounts", "/v1/accounts"],
    [A, `/v1/accounts/${name}`],
    [D, `/v1/accounts/${name}/domains/${domain}`],
    [`${D}/relay`, `/v1/accounts/${name}/domains/${domain}/relay`],
    ["/v1/relays", "/v1/relays"],
    ["/v1/audit", "/v1/audit"],
    ["/v1/mails", "/v1/mails"],
    ["/v1/dead-letters", "/v1/dead-letters"],
    [`${A}/endpoint`, `/v1/accounts/${name}/endpoint`],
    [`${A}/suppressions`, `/v1/accounts/${name}/suppressions`],
    ["/v1/jobs/{jobId}", "/v1/jobs/none"],
    ["/v1/mails", "/v1/mails?limit=x"],
  ];
  for (const [path, url] of asked) {
    const { status, body } = await system.control.get(url);
    const [content] = Object.values(document.paths[path]?.["get"]?.responses[String(status)]?.content ?? {});
    const schema = JSON.stringify(content?.schema ?? false).replaceAll('"#/', '"document#/');
    const validate = ajv.compile(JSON.parse(schema) as object);
    expect([url, validate(body), validate.errors]).toEqual([url, true, null]);
  }
});

it("can be read at /docs", async () => {
  const answer = await fetch(`${system.controlUrl}/docs`);
  expect(answer.status).toBe(200);
  expect(await answer.text()).toContain("swagger");
});

it("stands beside the console, which loads nothing from elsewhere", async () => {
  const answer = await fetch(`${system.controlUrl}/`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
  const page = await answer.text();
  const urls = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url ?? "");
  expect(urls.filter((url) => !url.startsWith("/"))).toEqual(["data:,"]);
  for (const url of urls.filter((item) => item.startsWith("/"))) {
    expect([url, (await fetch(`${system.controlUrl}${url}`)).status]).toEqual([url, 200]);
  }
});
