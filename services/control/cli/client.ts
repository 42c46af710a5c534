// Calls of the administration API; what it refuses becomes a Refusal with the problem's own words.
import { z } from "zod";
import type { FoundSystem } from "./connection.ts";

const problemSchema = z.object({
  title: z.string().optional(),
  detail: z.string().optional(),
  status: z.number().optional(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

/** The API refused or failed: exit 1, with the problem as it came. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  /** Absent where the answer that tells of it is printed already. */
  readonly problem: unknown;

  constructor(message: string, problem?: unknown, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.problem = problem;
  }
}

/** What was asked for does not exist; any other refusal says nothing of that. */
export function isNotFound(error: unknown): boolean {
  return error instanceof Refusal && problemSchema.safeParse(error.problem).data?.status === 404;
}

/** The flags of a verb do not go together: exit 2. */
export class Misuse extends Error {
  override readonly name = "Misuse";
}

export type Query = Readonly<Record<string, string | undefined>>;

export interface Client {
  get(path: string, query?: Query): Promise<unknown>;
  put(path: string, body: object, query?: Query): Promise<unknown>;
  post(path: string, body?: object): Promise<unknown>;
  delete(path: string, query?: Query): Promise<unknown>;
}

function textOf(status: number, body: unknown): string {
  const problem = problemSchema.safeParse(body);
  if (!problem.success) return `the answer was ${status}`;
  const head = problem.data.detail ?? problem.data.title ?? `the answer was ${status}`;
  return [head, ...(problem.data.errors ?? []).map(({ path, message }) => `  ${path}: ${message}`)].join("\n");
}

/** What the network or TLS said; nothing of what was sent, for that has secrets. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!(cause instanceof Error)) return "";
  return ` (${"code" in cause ? String(cause.code) : cause.message})`;
}

async function call(url: URL, init: RequestInit): Promise<unknown> {
  const { origin } = url;
  let response: Response;
  let text: string;
  try {
    // Neither control nor ingest redirects: who does is not them, and what it leads to did nothing of what was asked.
    response = await fetch(url, { ...init, redirect: "manual" });
    text = await response.text();
  } catch (error) {
    const message = `${origin} does not answer${causeOf(error)}: is the system running?`;
    throw new Refusal(message, { title: "no answer", url: origin }, error);
  }
  const body = parse(text);
  if (!response.ok) throw new Refusal(textOf(response.status, body), body ?? { status: response.status });
  if (body === undefined)
    throw new Refusal(`what answers at ${origin} is not Waypost`, { title: "no JSON", url: origin });
  return body;
}

/** Undefined where it is no JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function createClient(system: FoundSystem): Client {
  const send = (
    method: string,
    path: string,
    options: { query?: Query | undefined; body?: object | undefined },
  ): Promise<unknown> => {
    const url = new URL(path, system.controlUrl);
    for (const [key, value] of Object.entries(options.query ?? {}))
      if (value !== undefined) url.searchParams.set(key, value);
    const headers: Record<string, string> = { authorization: `Bearer ${system.adminToken}` };
    if (options.body === undefined) return call(url, { method, headers });
    return call(url, {
      method,
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify(options.body),
    });
  };
  return {
    get: (path, query) => send("GET", path, { query }),
    put: (path, body, query) => send("PUT", path, { query, body }),
    post: (path, body) => send("POST", path, { body }),
    delete: (path, query) => send("DELETE", path, { query }),
  };
}

/** Hands a job to ingest. Throws Refusal. */
export function submitJob(target: { url: string; account: string; password: string }, job: unknown): Promise<unknown> {
  const authorization = `Basic ${Buffer.from(`${target.account}:${target.password}`).toString("base64")}`;
  return call(new URL("/v1/jobs", target.url), {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify(job),
  });
}
