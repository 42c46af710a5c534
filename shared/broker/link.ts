// One connection to the broker that comes back by itself: next URL, growing waits, and the same set-up after each connect.
import { setTimeout as wait } from "node:timers/promises";
import type { ChannelModel } from "amqplib";
import { connect } from "amqplib";
import { wordsOf } from "#shared/errors.ts";
import type { Clock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import { straightenFrames } from "./straighten-frames.ts";

const HEARTBEAT_SECONDS = 8;
const CONNECT_TIMEOUT_MS = 5_000;
const SET_UP_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 1_000;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2_000;
/** A connect that hangs is not waited for when the service stops. */
const LONGEST_CLOSE_MS = 500;

export interface LinkOptions {
  urls: readonly string[];
  /** Shown by the broker as the connection's name. */
  name: string;
  log: Log;
  clock: Clock;
  /** Sets up what the connection is for; runs after every connect. What it throws closes the connection, to try again. */
  onUp(model: ChannelModel): Promise<void>;
  onDown(): void;
  onBlocked(reason: string | undefined): void;
}

export interface Link {
  readonly isUp: boolean;
  /** Of the node that it leads to, or led to last; before the first, of the one that is tried first. */
  readonly url: string;
  /** Why it is not up, in the broker's words; undefined while it is, and before the first try has failed. */
  readonly failure: string | undefined;
  close(): Promise<void>;
}

interface LinkState {
  model: ChannelModel | undefined;
  url: string;
  isUp: boolean;
  failures: number;
  failure: string | undefined;
  readonly closing: AbortController;
}

/** The URL with a heartbeat, unless it names one. */
function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has("heartbeat")) parsed.searchParams.set("heartbeat", String(HEARTBEAT_SECONDS));
  return parsed.href;
}

export function openLink(options: LinkOptions): Link {
  const state: LinkState = {
    model: undefined,
    url: options.urls[0] ?? "",
    isUp: false,
    failures: 0,
    failure: undefined,
    closing: new AbortController(),
  };
  const finished = keepConnected(options, state);
  return {
    get isUp() {
      return state.isUp;
    },
    get url() {
      return state.url;
    },
    get failure() {
      return state.failure;
    },
    close: async () => {
      state.closing.abort();
      await closeQuietly(state.model);
      await Promise.race([finished, options.clock.sleep(LONGEST_CLOSE_MS)]);
    },
  };
}

async function keepConnected(options: LinkOptions, state: LinkState): Promise<void> {
  for (let turn = 0; !state.closing.signal.aborted; turn += 1) {
    await connectOnce(options, state, options.urls[turn % options.urls.length] ?? "");
    if (state.closing.signal.aborted) return;
    const base = Math.min(FIRST_WAIT_MS * 2 ** state.failures, LONGEST_WAIT_MS);
    const backoff = base * (0.5 + options.clock.random() / 2);
    await options.clock.sleep(backoff, state.closing.signal).catch(() => undefined);
  }
}

/** One connection from its start to its loss. */
async function connectOnce(options: LinkOptions, state: LinkState, url: string): Promise<void> {
  try {
    const model = await connect(withHeartbeat(url), {
      noDelay: true,
      keepAlive: true,
      timeout: CONNECT_TIMEOUT_MS,
      clientProperties: { connection_name: options.name },
    });
    state.model = model;
    state.url = url;
    const lost = new Promise<void>((resolve) => void model.once("close", () => resolve()));
    straightenFrames(model);
    watch(model, options);
    if (state.closing.signal.aborted) return await closeQuietly(model);
    await withinSetUpTime(options.onUp(model));
    state.isUp = true;
    state.failures = 0;
    state.failure = undefined;
    options.log.info({ connection: options.name, host: new URL(url).host }, "broker.connected");
    await lost;
  } catch (error) {
    state.failures += 1;
    state.failure = failureOf(error, url);
    const first = state.failures === 1 || state.failures % 20 === 0;
    if (!state.closing.signal.aborted) options.log[first ? "warn" : "debug"]({ err: error }, "broker.connect_failed");
    await closeQuietly(state.model);
  }
  const wasUp = state.isUp;
  state.isUp = false;
  state.model = undefined;
  options.onDown();
  if (wasUp && !state.closing.signal.aborted) options.log.warn({ connection: options.name }, "broker.lost");
}

/** Of a virtual host that the broker refuses the client tells only at which step of the handshake that was. */
export function failureOf(error: unknown, url: string): string {
  const words = wordsOf(error);
  if (!words.startsWith("Expected ConnectionOpenOk")) return words;
  const name = decodeURIComponent(new URL(url).pathname.slice(1)) || "/";
  return `the broker refuses the virtual host ${name}: is it there, and may the user use it?`;
}

function watch(model: ChannelModel, options: LinkOptions): void {
  model.on("error", (error) => options.log.warn({ err: error, connection: options.name }, "broker.connection_error"));
  model.on("handler-error", (error) => options.log.error({ err: error }, "broker.listener_failed"));
  model.on("blocked", (reason) => options.onBlocked(reason));
  model.on("unblocked", () => options.onBlocked(undefined));
}

async function withinSetUpTime(work: Promise<void>): Promise<void> {
  const timeout = new AbortController();
  const late = wait(SET_UP_TIMEOUT_MS, undefined, { signal: timeout.signal, ref: false }).then(
    () => Promise.reject(new Error("the broker did not answer while the topology was declared")),
    () => undefined,
  );
  await Promise.race([work, late]).finally(() => timeout.abort());
}

/** A stalled connection never answers: it is left after a moment. */
async function closeQuietly(model: ChannelModel | undefined): Promise<void> {
  const closed = model?.close().catch(() => undefined);
  await Promise.race([closed, wait(CLOSE_TIMEOUT_MS, undefined, { ref: false })]);
}
