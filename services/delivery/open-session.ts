// Opens a session to one target: connect, greeting, EHLO, STARTTLS, AUTH; by the rules of its TLS mode.
import type { Bounds } from "./connect.ts";
import { connectTo } from "./connect.ts";
import { nameOf } from "./conversation-end.ts";
import type { ConversationEnd } from "#shared/life/outcome.ts";
import type { Answer } from "./session.ts";
import { SmtpSession } from "./session.ts";
import type { Target } from "./target.ts";
import type { TlsFacts } from "./tls.ts";

export interface OpenedSession {
  session: SmtpSession;
  target: Target;
}

/** `gone`: when its connection is, where there was one. What is opened before that is one more at its server. */
type NotOpened = { ok: false; end: ConversationEnd; tls?: TlsFacts; gone?: Promise<void> };

export type Opened = ({ ok: true } & OpenedSession) | NotOpened;

/** A bare machine name proves nothing: many machines have the same. */
function greetsAsUs(greeting: string, helloName: string): boolean {
  const name = /^220[ -](\S+)/.exec(greeting)?.[1]?.toLowerCase();
  return helloName.includes(".") && name === helloName.toLowerCase();
}

export type Step = "connect" | "hello" | "auth";

export interface OpenOptions {
  helloName: string;
  bounds: Bounds;
  /** Told of each step that was completed, in order. */
  onStep?: ((step: Step, session: SmtpSession | undefined) => void) | undefined;
  /** Told why there is no TLS where the session goes on without, on a connection of its own. */
  onWithoutTls?: ((why: string) => void) | undefined;
}

async function openOnce(target: Target, options: OpenOptions): Promise<Opened> {
  const { helloName, bounds, onStep } = options;
  const connected = await connectTo(target, bounds);
  if (!connected.ok) return connected;
  const session = new SmtpSession({ ...target, helloName }, connected.socket, bounds);
  onStep?.("connect", session);
  const fail = (answer: Exclude<Answer, { kind: "ok" }>): Opened => {
    const { tls, gone } = session;
    session.close();
    return { ok: false, end: answer, tls, gone };
  };
  const hello = await session.hello(bounds);
  if (greetsAsUs(session.greeting, helloName)) {
    const detail = `${nameOf(target)} greets with our own name: the mail would go round in a loop`;
    return fail({ kind: "local", step: "greeting", cause: target.loop, detail });
  }
  if (hello.kind !== "ok") return fail(hello);
  onStep?.("hello", session);
  const authenticated = await session.authenticate(bounds);
  if (authenticated.kind !== "ok") return fail(authenticated);
  onStep?.("auth", session);
  return { ok: true, session, target };
}

/** There TLS comes before all else (RFC 8314 §3.3): a server that fails at it has nothing to say in clear. */
const IMPLICIT_TLS_PORT = 465;

/** Opportunistic TLS that fails goes on without, on a new connection; never where credentials would be sent. */
export function mayGoOnInClear({ tls, auth, port }: Pick<Target, "tls" | "auth" | "port">): boolean {
  return tls === "opportunistic" && auth === undefined && port !== IMPLICIT_TLS_PORT;
}

export async function openSession(target: Target, options: OpenOptions): Promise<Opened> {
  const opened = await openOnce(target, options);
  if (opened.ok || !mayGoOnInClear(target)) return opened;
  const { end } = opened;
  const isTlsFault = end.kind === "local" && (end.cause === "tls-failed" || end.cause === "tls-certificate");
  if (!isTlsFault) return opened;
  options.onWithoutTls?.(end.detail);
  await opened.gone;
  return openOnce({ ...target, tls: "never" }, options);
}
