// Submission over REST (operator contract, REST submission): `POST /v1/jobs`, and what describes it.
// The order of checks: who, from where, how large, what it is, whether it is right; then `accept` decides.
import { isUtf8 } from "node:buffer";
import type { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { fastify } from "fastify";
import { createAsyncApi } from "#shared/contracts/asyncapi.ts";
import { TOO_MANY_VALUES } from "#shared/contracts/job-request.ts";
import type { Clock } from "#shared/clock.ts";
import { isRetriable } from "#shared/errors.ts";
import { hasFewValues } from "#shared/json-values.ts";
import type { Log } from "#shared/log.ts";
import { refuseOtherMethods } from "#shared/other-methods.ts";
import { refuseUnreadable } from "#shared/unreadable-request.ts";
import type { Account } from "#shared/routing/configuration.ts";
import type { Confirmable } from "#shared/routing/find-confirmed.ts";
import type { Authenticator } from "./authenticate.ts";
import { readBasic } from "./basic-authorization.ts";
import type { AskForPlace } from "./collect-body.ts";
import { BodyTooLarge, collectBody, LARGE_BYTES, letGo, NoPlace } from "./collect-body.ts";
import { MAX_KEY_CHARACTERS } from "./idempotency.ts";
import type { SharedPlaces } from "./large-places.ts";
import { createLargePlaces } from "./large-places.ts";
import { openApiDocument } from "./openapi.ts";
import type { Problem } from "#shared/contracts/problem.ts";
import { problemOf } from "./problem.ts";
import type { GivenKey } from "./read-job-request.ts";
import { readJobRequest } from "./read-job-request.ts";
import { tracedRequest } from "./request-span.ts";
import type { Accept, Acceptance, Submission } from "./submission.ts";

export const MAX_REQUEST_BYTES = 32 * 1024 * 1024;
/** Each takes several times its size in memory. */
const LARGE_REQUESTS = 6;
const LARGE_WAIT_MS = 30_000;
const REQUEST_TIMEOUT_MS = 300_000;
const RETRY_AFTER_SECONDS = 5;
const HAS_MISTAKES = "The JobRequest has mistakes.";

export interface RestParts {
  authenticator: Pick<Authenticator, "byPassword">;
  accept: Accept;
  configuration: Confirmable;
  clock: Clock;
  log: Log;
}

declare module "fastify" {
  interface FastifyRequest {
    account: Account | undefined;
    askForPlace: AskForPlace | undefined;
  }
}

/** A client that asks before it sends is told to go on once who it is and what it announces were looked at (RFC 9110 §10.1.1). */
function answerExpectations(app: FastifyInstance): void {
  app.server.on("checkContinue", (request, response) => void app.server.emit("request", request, response));
}

/** On connections that are still open while the service drains. */
function refuseWhenClosing(app: FastifyInstance): void {
  let isClosing = false;
  app.addHook("preClose", async () => void (isClosing = true));
  app.addHook("onRequest", async (_request, reply) =>
    isClosing ? sendProblem(reply, problemOf(503, "This process is being stopped.")) : undefined,
  );
}

/** The server, not yet listening. */
export function createRest(parts: RestParts): FastifyInstance {
  const app = fastify({
    bodyLimit: MAX_REQUEST_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    routerOptions: { caseSensitive: true },
    // Fastify's own 503 has no Retry-After.
    return503OnClosing: false,
    clientErrorHandler: refuseUnreadable,
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, problemOfError(error, parts.log)),
  });
  refuseWhenClosing(app);
  answerExpectations(app);
  const closeRoutes = refuseOtherMethods(app, (request, reply) =>
    sendProblem(reply, problemOf(405, `${request.method} is not a method of this path.`)),
  );
  app.decorateRequest("account", undefined);
  app.decorateRequest("askForPlace", undefined);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(/^application\/json\s*(;|$)/i, (request: FastifyRequest, payload: Readable) =>
    collectBody(payload, {
      length: lengthOf(request),
      most: MAX_REQUEST_BYTES,
      askForPlace: request.askForPlace,
    }),
  );
  const places = createLargePlaces(LARGE_REQUESTS, LARGE_WAIT_MS, parts.clock);
  app.post("/v1/jobs", {
    onRequest: async (request, reply) => admit(parts, places, { request, reply }),
    handler: (request, reply) => tracedRequest(request, reply, () => submit(parts, request, reply)),
  });
  app.get("/openapi.json", () => openApiDocument);
  const asyncApi = createAsyncApi();
  app.get("/asyncapi.json", () => asyncApi);
  closeRoutes();
  app.setNotFoundHandler(async (_request, reply) => sendProblem(reply, problemOf(404, "There is nothing here.")));
  app.setErrorHandler(async (error, _request, reply) => sendProblem(reply, problemOfError(error, parts.log)));
  return app;
}

function sendProblem(reply: FastifyReply, problem: Problem, retryAfterSeconds?: number): FastifyReply {
  if (retryAfterSeconds !== undefined) void reply.header("retry-after", String(retryAfterSeconds));
  else if (problem.status === 503) void reply.header("retry-after", String(RETRY_AFTER_SECONDS));
  return reply.code(problem.status).type("application/problem+json").send(JSON.stringify(problem));
}

const NO_PLACE = problemOf(503, "Too many large requests at once.");
const BODY_PROBLEMS = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: problemOf(415, "The content type is not application/json in UTF-8."),
  FST_ERR_CTP_BODY_TOO_LARGE: problemOf(413, `A request is at most ${MAX_REQUEST_BYTES} bytes.`),
} as const;

/** What Fastify or a backing service threw, as a problem; anything else is a bug of ours, and logged as such. */
function problemOfError(error: unknown, log: Log): Problem {
  if (isRetriable(error)) return problemOf(503, "A backing service is away.");
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (error instanceof NoPlace) return NO_PLACE;
  if (error instanceof BodyTooLarge) return BODY_PROBLEMS.FST_ERR_CTP_BODY_TOO_LARGE;
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE" || code === "FST_ERR_CTP_BODY_TOO_LARGE") return BODY_PROBLEMS[code];
  const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
  if (typeof status === "number" && status >= 400 && status < 500) return problemOf(400, "The request cannot be read.");
  log.error({ err: error }, "ingest.request-failed");
  return problemOf(500, "An error of Waypost's own; it is logged.");
}

interface Exchange {
  request: FastifyRequest;
  reply: FastifyReply;
}

/** Who asks, and whether what comes may be read at all. Answers by itself where not. */
async function admit(parts: RestParts, places: SharedPlaces, { request, reply }: Exchange): Promise<unknown> {
  const refused = (await authenticate(parts, request, reply)) ?? unreadable(request);
  if (refused !== undefined) return sendProblem(reply, refused);
  request.askForPlace = async () => takePlace(places, { request, reply });
  if ((lengthOf(request) ?? 0) > LARGE_BYTES && !(await request.askForPlace())) return sendProblem(reply, NO_PLACE);
  if (request.headers.expect !== undefined && request.raw.httpVersion === "1.1") reply.raw.writeContinue();
  return undefined;
}

/** False where none came free in time; otherwise it is given back when the exchange is over. */
async function takePlace(places: SharedPlaces, { request, reply }: Exchange): Promise<boolean> {
  const release = await places.of(request.account?._id ?? "").take();
  if (release === undefined) return false;
  // Who has left while it waited closes nothing any more.
  if (reply.raw.closed) release();
  else reply.raw.once("close", release);
  return true;
}

async function authenticate(
  parts: RestParts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Problem | undefined> {
  const given = readBasic(request.headers.authorization);
  const found =
    given === undefined
      ? ({ kind: "wrong" } as const)
      : await parts.authenticator.byPassword({ ...given, address: request.socket.remoteAddress ?? "" });
  switch (found.kind) {
    case "known":
      request.account = found.account;
      return undefined;
    case "wrong":
      void reply.header("www-authenticate", 'Basic realm="Waypost", charset="UTF-8"');
      return problemOf(401, "No or wrong credentials.");
    case "foreign-address":
      return problemOf(403, "The account does not submit from this address.");
    case "limited":
      void reply.header("retry-after", String(found.retryAfterSeconds));
      return problemOf(429, "Too many failed logins.");
  }
}

function lengthOf(request: FastifyRequest): number | undefined {
  const length = request.headers["content-length"];
  return length === undefined ? undefined : Number(length);
}

/** What is refused by its headers, before a byte of the body is read. */
function unreadable(request: FastifyRequest): Problem | undefined {
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity")
    return problemOf(415, `A body in content encoding ${encoding} is not taken.`);
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(request.headers["content-type"] ?? "")?.[1];
  if (charset !== undefined && !/^utf-?8$/i.test(charset)) return BODY_PROBLEMS.FST_ERR_CTP_INVALID_MEDIA_TYPE;
  if (request.headers["content-type"] === undefined) return BODY_PROBLEMS.FST_ERR_CTP_INVALID_MEDIA_TYPE;
  return (lengthOf(request) ?? 0) > MAX_REQUEST_BYTES ? BODY_PROBLEMS.FST_ERR_CTP_BODY_TOO_LARGE : undefined;
}

function parseBody(body: unknown): { ok: true; value: unknown } | { ok: false; problem: Problem } {
  const problem = problemOf(400, "The body is no JSON in UTF-8.");
  if (!Buffer.isBuffer(body) || !isUtf8(body)) return { ok: false, problem };
  if (!hasFewValues(body)) return { ok: false, problem: problemOf(422, HAS_MISTAKES, [TOO_MANY_VALUES]) };
  const text = body.toString("utf8");
  letGo(body);
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch {
    return { ok: false, problem };
  }
}

/** The submission in a request, or why it is none. */
async function readSubmission(
  { configuration }: RestParts,
  request: FastifyRequest,
  account: Account,
): Promise<Submission | Problem> {
  const parsed = parseBody(request.body);
  request.body = undefined;
  if (!parsed.ok) return parsed.problem;
  const read = await readJobRequest({ way: "rest", account, body: parsed.value, key: keyOf(request) }, configuration);
  return read.ok ? read.submission : problemOf(422, HAS_MISTAKES, read.mistakes);
}

function keyOf(request: FastifyRequest): GivenKey | undefined {
  const key = request.headers["idempotency-key"];
  const field = "Idempotency-Key";
  if (typeof key !== "string") return undefined;
  const isRight = key !== "" && key.length <= MAX_KEY_CHARACTERS;
  return isRight ? { key, field } : { mistake: { path: field, message: `1 to ${MAX_KEY_CHARACTERS} characters` } };
}

async function submit(parts: RestParts, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { account } = request;
  if (account === undefined) return sendProblem(reply, problemOf(401, "No or wrong credentials."));
  const submission = await readSubmission(parts, request, account);
  if ("status" in submission) return sendProblem(reply, submission);
  return answer(reply, await parts.accept(submission));
}

function answer(reply: FastifyReply, acceptance: Acceptance): FastifyReply {
  switch (acceptance.kind) {
    case "accepted":
      return reply
        .code(202)
        .type("application/json")
        .send(JSON.stringify({ jobId: acceptance.jobId }));
    case "refused":
      return sendProblem(reply, acceptance.problem, acceptance.retryAfterSeconds);
    case "unavailable":
      return sendProblem(reply, problemOf(503, acceptance.reason), acceptance.retryAfterSeconds);
  }
}
