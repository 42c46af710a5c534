// An operation of the API: its schemas, every status that it can answer, and what it does. One table of these is the API and
// its OpenAPI document alike.
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { mistakesOf } from "#shared/contracts/mistakes.ts";
import type { Mistake } from "#shared/contracts/problem.ts";
import { badInput, Problem, PROBLEM_TYPE, problemSchema } from "./problem.ts";

type Method = "GET" | "PUT" | "POST" | "DELETE";
type Shape = z.ZodType;

export const NOTHING = z.strictObject({});

export interface Call<P, Q, B> {
  params: P;
  query: Q;
  body: B;
  /** Who asks, for the audit. */
  who: string;
}

interface Spec<P extends Shape, Q extends Shape, B extends Shape, A extends Shape> {
  method: Method;
  path: string;
  tag: string;
  summary: string;
  description?: string;
  params: P;
  query: Q;
  /** Absent: none is read. */
  body: B;
  answer: A;
  /** What it may refuse, beside what any call may be refused for. */
  refusals: readonly (404 | 409 | 422 | 503)[];
  handle(call: Call<z.output<P>, z.output<Q>, z.output<B>>): Promise<z.output<A> | Problem>;
}

/** Something that can be added to the server. */
export type Operation = (app: FastifyInstance) => void;

const DESCRIPTIONS: Readonly<Record<number, string>> = {
  400: "The request cannot be read: no JSON, or no valid URL.",
  401: "No bearer token, or not the right one.",
  404: "Something that the path names does not exist.",
  409: "The state of things forbids it; `detail` says why.",
  408: "The request did not come in time.",
  413: "The body is too large.",
  415: "The body is no application/json.",
  422: "Bad input; `errors` names every mistake.",
  431: "The headers, or what the URL asks for, are too long.",
  500: "A fault of Waypost's own; it is in the log.",
  503: "A backing service or another service of Waypost does not answer; try again.",
};

function statusesOf(spec: Pick<Spec<Shape, Shape, Shape, Shape>, "method" | "refusals" | "query" | "body">): number[] {
  const bodied = spec.method === "GET" ? [] : [413, 415];
  return [...new Set([400, 401, 408, ...spec.refusals, ...bodied, 422, 431, 500, 503])].toSorted((a, b) => a - b);
}

function responsesOf(answer: Shape, statuses: readonly number[]): object {
  const refusals = statuses.map((status) => [
    status,
    {
      description: DESCRIPTIONS[status] ?? "",
      content: { [PROBLEM_TYPE]: { schema: problemSchema } },
    },
  ]);
  return {
    200: { description: "Done.", content: { "application/json": { schema: answer } } },
    ...Object.fromEntries(refusals),
  };
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  return reply.code(problem.status).headers(problem.headers).type(PROBLEM_TYPE).send(JSON.stringify(problem.body));
}

interface Parsed<P, Q, B> {
  call?: Omit<Call<P, Q, B>, "who">;
  problem?: Problem;
}

function parse<P extends Shape, Q extends Shape, B extends Shape>(
  spec: Pick<Spec<P, Q, B, Shape>, "params" | "query" | "body">,
  request: FastifyRequest,
): Parsed<z.output<P>, z.output<Q>, z.output<B>> {
  const params = spec.params.safeParse(request.params);
  const query = spec.query.safeParse(request.query);
  const body = spec.body.safeParse(request.body === undefined ? {} : request.body);
  if (params.success && query.success && body.success) {
    return { call: { params: params.data, query: query.data, body: body.data } };
  }
  const mistakes: Mistake[] = [params, query, body].flatMap((part) =>
    part.error === undefined ? [] : mistakesOf(part.error),
  );
  return { problem: badInput(mistakes) };
}

/** The name behind a change: as the caller says, which only holders of the token can. */
function whoOf(request: FastifyRequest): string {
  const said = request.headers["x-waypost-actor"];
  const name = typeof said === "string" && /^[\x20-\x7e]{1,100}$/.test(said) ? said : "admin";
  return `${name} from ${request.ip}`;
}

export function operation<P extends Shape, Q extends Shape, B extends Shape, A extends Shape>(
  spec: Spec<P, Q, B, A>,
): Operation {
  return (app) => {
    app.route({
      method: spec.method,
      url: spec.path,
      schema: {
        tags: [spec.tag],
        summary: spec.summary,
        ...(spec.description === undefined ? {} : { description: spec.description }),
        operationId: operationIdOf(spec.method, spec.path),
        security: [{ token: [] }],
        ...(spec.path.includes(":") ? { params: spec.params } : {}),
        ...(isNothing(spec.query) ? {} : { querystring: spec.query }),
        ...(isNothing(spec.body) ? {} : { body: spec.body }),
        response: responsesOf(spec.answer, statusesOf(spec)),
      },
      handler: async (request, reply) => {
        const { call, problem } = parse(spec, request);
        if (call === undefined) return sendProblem(reply, problem ?? badInput([]));
        const answer = await spec.handle({ ...call, who: whoOf(request) });
        if (answer instanceof Problem) return sendProblem(reply, answer);
        return reply.type("application/json; charset=utf-8").send(JSON.stringify(answer));
      },
    });
  };
}

function isNothing(schema: Shape): boolean {
  return schema instanceof z.ZodObject && Object.keys(schema.shape).length === 0;
}

function operationIdOf(method: Method, path: string): string {
  const words = path.replace("/v1/", "").split(/[/:]+/).filter(Boolean);
  return [method.toLowerCase(), ...words].join("-");
}
