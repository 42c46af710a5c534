// POSTs to strangers' endpoints: connects only to addresses that were checked, follows no redirect, waits at most 10 s for
// the answer, and reads no more of its body than it takes to use the connection again.
import type { Socket } from "node:net";
import { isIP } from "node:net";
import type { Dispatcher } from "undici";
import { Agent, buildConnector, request } from "undici";
import { hostOutOfUrl } from "#shared/network/host-in-url.ts";
import type { NetworkPolicy } from "#shared/network/policy.ts";
import { codeOf, EndpointRefused } from "./answer.ts";
import type { PostRequest } from "./request.ts";

export interface PostAnswer {
  status: number;
  retryAfter: string | undefined;
}

export interface HttpClient {
  /** Throws what went wrong on the way; see outcomeOfError. */
  post(request: PostRequest): Promise<PostAnswer>;
  close(): Promise<void>;
}

export interface HttpClientOptions {
  network: Pick<NetworkPolicy, "resolve">;
  /** For the whole of a POST up to the end of the answer's headers. */
  timeoutMs: number;
  /** Certificates to trust in place of the system's. */
  ca?: string;
}

const CONNECT_TIMEOUT_MS = 4_000;
const MOST_BODY_BYTES = 16 * 1024;
const BODY_TIMEOUT_MS = 1_000;
const IDLE_MS = 5_000;
const MOST_HEADER_BYTES = 16 * 1024;
/** A used connection that the endpoint closed while it was idle shows as these, at once: tried again once on a new one. */
const STALE_CODES = ["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"];

type Connector = ReturnType<typeof buildConnector>;
type ConnectorOptions = Parameters<Connector>[0];

function connectTo(connector: Connector, options: ConnectorOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    connector(options, (...[error, socket]) => {
      if (error === null) resolve(socket);
      else reject(error);
    });
  });
}

/** Resolves, checks every address, and connects to the first that answers: never to the name. */
async function connectChecked(
  network: HttpClientOptions["network"],
  connector: Connector,
  options: ConnectorOptions,
): Promise<Socket> {
  const resolution = await network.resolve(options.hostname);
  if (!resolution.ok) throw new EndpointRefused(resolution.text);
  const isName = isIP(hostOutOfUrl(options.hostname)) === 0;
  const isSecure = options.protocol === "https:";
  let failure: unknown;
  for (const { address } of resolution.addresses) {
    try {
      const servername = isName && isSecure ? { servername: options.hostname } : {};
      return await connectTo(connector, { ...options, hostname: address, host: address, ...servername });
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** A POST under way. */
interface Course {
  origin: string;
  /** A connection to its origin was opened meanwhile: if it fails, it was hardly for an old one. */
  hasConnected: boolean;
}

function createAgent({ network, ca, timeoutMs }: HttpClientOptions, courses: ReadonlySet<Course>): Agent {
  const connector = buildConnector({
    allowH2: false,
    timeout: CONNECT_TIMEOUT_MS,
    noDelay: true,
    ...(ca === undefined ? {} : { ca }),
  });
  const connect = async (options: ConnectorOptions, callback: Parameters<Connector>[1]): Promise<void> => {
    const [connected] = await Promise.allSettled([connectChecked(network, connector, options)]);
    const origin = `${options.protocol}//${options.host ?? options.hostname}`;
    for (const course of courses) if (course.origin === origin) course.hasConnected = true;
    if (connected.status === "fulfilled") return callback(null, connected.value);
    callback(connected.reason instanceof Error ? connected.reason : new Error("no connection"), null);
  };
  return new Agent({
    connect: (options, callback) => void connect(options, callback),
    allowH2: false,
    pipelining: 1,
    headersTimeout: timeoutMs,
    bodyTimeout: BODY_TIMEOUT_MS,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: IDLE_MS * 2,
    maxHeaderSize: MOST_HEADER_BYTES,
  });
}

/** Reads a short body, so that its connection can be used again; drops the connection of any other. Its content is not looked at. */
async function discard(body: Dispatcher.ResponseData["body"]): Promise<void> {
  try {
    await body.dump({ limit: MOST_BODY_BYTES, signal: AbortSignal.timeout(BODY_TIMEOUT_MS) });
  } catch {
    body.destroy();
  }
}

function headerOf(headers: Dispatcher.ResponseData["headers"], name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.[0];
}

export function createHttpClient(options: HttpClientOptions): HttpClient {
  const courses = new Set<Course>();
  const agent = createAgent(options, courses);

  const postOnce = async ({ url, headers, body }: PostRequest, signal: AbortSignal): Promise<PostAnswer> => {
    const answer = await request(url, { dispatcher: agent, method: "POST", headers, body, signal });
    // The status line decides: nobody waits for a body that may never end.
    discard(answer.body).catch(() => answer.body.destroy());
    return { status: answer.statusCode, retryAfter: headerOf(answer.headers, "retry-after") };
  };

  return {
    post: async (post) => {
      const signal = AbortSignal.timeout(options.timeoutMs);
      const course = { origin: new URL(post.url).origin, hasConnected: false };
      courses.add(course);
      try {
        return await postOnce(post, signal);
      } catch (error) {
        if (course.hasConnected || !STALE_CODES.includes(codeOf(error) ?? "")) throw error;
        return await postOnce(post, signal);
      } finally {
        courses.delete(course);
      }
    },
    close: () => agent.destroy(),
  };
}
