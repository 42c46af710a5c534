// The HTTP server of control: bearer authentication, problem details for whatever goes wrong, the OpenAPI document, the console.
import { createHash, timingSafeEqual } from "node:crypto";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { fastify } from "fastify";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";
import { createAsyncApi } from "#shared/contracts/asyncapi.ts";
import { isRetriable } from "#shared/errors.ts";
import { refuseOtherMethods } from "#shared/other-methods.ts";
import { refuseUnreadable } from "#shared/unreadable-request.ts";
import { addConsole } from "../console/console.ts";
import { accountOperations } from "./accounts.ts";
import { auditOperations } from "./audit.ts";
import type { ApiContext } from "./context.ts";
import { deadOperations } from "./dead.ts";
import { dkimOperations } from "./dkim.ts";
import { doctorOperations } from "./doctor.ts";
import { domainOperations } from "./domains.ts";
import { explainOperations } from "./explain.ts";
import { mailOperations } from "./mails.ts";
import { promiseOperations } from "./promise.ts";
import { sendProblem } from "./operation.ts";
import { notFound, Problem, unavailable } from "./problem.ts";
import { recipientOperations } from "./recipients.ts";
import { relayOperations } from "./relays.ts";
import { tellOfChange } from "./tell-of-change.ts";

const BODY_LIMIT = 512 * 1024;
/** Longer than the head of a request may be: what is asked for by a long name is unknown, not 414. */
const MAX_PARAM_LENGTH = 65_536;
const REQUEST_TIMEOUT_MS = 120_000;

const DESCRIPTION = `The administration API of Waypost. Every call needs \`Authorization: Bearer <WAYPOST_ADMIN_TOKEN>\`.
Errors are RFC 9457 problem details, with \`errors: [{path, message}]\` for bad input. \`PUT\` is create-or-replace and idempotent;
a secret that is absent is kept, \`null\` removes it, and none is ever returned. \`X-Waypost-Actor\` names you in the audit.`;

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/**
 * Asks for the token by the route that was found, never by the request's target alone: the router also takes `/%761/accounts` and
 * `http://host/v1/accounts` for `/v1/accounts`.
 */
function createGate(
  token: string,
): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined> {
  const wanted = digest(`Bearer ${token}`);
  return async (request, reply) => {
    const path = request.routeOptions.url ?? request.url;
    if (!path.startsWith("/v1/") && path !== "/v1") return undefined;
    const given = (request.headers.authorization ?? "").replace(/^bearer +/i, "Bearer ");
    if (timingSafeEqual(digest(given), wanted)) return undefined;
    const headers = { "www-authenticate": 'Bearer realm="waypost"' };
    return sendProblem(reply, new Problem(401, "this needs the bearer token of the administration API", { headers }));
  };
}

const PROBLEMS_BY_STATUS: Readonly<Record<number, string>> = {
  400: "the request cannot be read",
  413: `the body is larger than ${BODY_LIMIT} bytes`,
  415: "the body should be application/json",
};

/** What was thrown as a problem; only a fault of our own is logged. */
function problemOf(error: FastifyError, context: ApiContext): Problem {
  if (isRetriable(error)) return unavailable(error.message);
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) return new Problem(status, PROBLEMS_BY_STATUS[status] ?? error.message);
  context.log.error({ err: error }, "control.failed");
  return new Problem(500, "a fault of Waypost's own; it is in the log");
}

class Unreadable extends Error {
  override readonly name = "Unreadable";
  readonly statusCode = 400;
}

/** JSON as UTF-8; nothing where the body is empty. Prototype-named keys are data: schemas name them as unknown keys. */
function readJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)) as unknown;
  } catch (error) {
    throw new Unreadable("the body is no JSON", { cause: error });
  }
}

function addParsers(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, async (_request: FastifyRequest, body: Buffer) =>
    readJson(body),
  );
}

/** Before the answer goes out. */
function tellOfChanges(app: FastifyInstance, context: ApiContext): void {
  app.addHook("onSend", async ({ method }, { statusCode }) => {
    if (method !== "GET" && statusCode < 300) void tellOfChange(context);
  });
}

async function addDocumentation(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Waypost administration API", version: "1", description: DESCRIPTION },
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
      servers: [],
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  // Without its upgrade of requests to https, which would keep the page empty wherever control is asked over plain HTTP.
  const transformStaticCSP = (policy: string): string => policy.replace(/\s*upgrade-insecure-requests;/, "");
  await app.register(swaggerUi, { routePrefix: "/docs", staticCSP: true, transformStaticCSP });
}

export function operationsOf(context: ApiContext): ((app: FastifyInstance) => void)[] {
  return [
    accountOperations,
    domainOperations,
    dkimOperations,
    relayOperations,
    explainOperations,
    mailOperations,
    promiseOperations,
    recipientOperations,
    deadOperations,
    auditOperations,
    doctorOperations,
  ].flatMap((operations) => operations(context));
}

/** The server, ready to listen. */
export async function createServer(context: ApiContext): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: "idle",
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH, ignoreTrailingSlash: true },
    clientErrorHandler: refuseUnreadable,
    frameworkErrors: (error, _request, reply) => {
      void sendProblem(reply, problemOf(error, context));
    },
  });
  // Operations parse by themselves. A value given back would stand in place of a body that is absent: Fastify hands null for it.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (value: unknown) => JSON.stringify(value));
  addParsers(app);
  tellOfChanges(app, context);
  app.addHook("onRequest", createGate(context.settings.adminToken));
  app.setErrorHandler<FastifyError>((error, _request, reply) => sendProblem(reply, problemOf(error, context)));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, notFound(`${request.method} ${request.url.slice(0, 200)}`)),
  );
  const closeRoutes = refuseOtherMethods(app, (request, reply) =>
    sendProblem(reply, new Problem(405, `${request.method} is not a method of this path`)),
  );
  await addDocumentation(app);
  for (const add of operationsOf(context)) add(app);
  const asyncApi = createAsyncApi();
  app.get("/asyncapi.json", { schema: { hide: true } }, () => asyncApi);
  app.get("/openapi.json", { schema: { hide: true } }, () => app.swagger());
  addConsole(app);
  closeRoutes();
  await app.ready();
  return app;
}
