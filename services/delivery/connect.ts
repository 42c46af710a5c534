// Opens the TCP connection of a session: to a checked address, from the source address it must leave from, within its time.
import type { Socket } from "node:net";
import { connect } from "node:net";
import type { Clock } from "#shared/clock.ts";
import type { SmtpStep } from "#shared/contracts/attempt.ts";
import { writeTogether } from "#shared/network/write-together.ts";
import type { Peer } from "./conversation-end.ts";
import { endOfConnect, nameOf } from "./conversation-end.ts";
import type { ConversationEnd } from "#shared/life/outcome.ts";
import type { TimeLimits } from "./time-limits.ts";
import { limitOf } from "./time-limits.ts";

export interface ConnectPlan extends Peer {
  localAddress?: string | undefined;
}

export interface Bounds {
  limits: TimeLimits;
  clock: Clock;
  /** Aborts when the service stops and its time to drain is over. */
  stopping: AbortSignal;
  /** Told of each step as it is answered. */
  onAnswered?: ((step: SmtpStep) => void) | undefined;
}

export type Connected = { ok: true; socket: Socket } | { ok: false; end: ConversationEnd };

/** Resolves with a connected socket, or why there is none. Never rejects. */
export function connectTo(plan: ConnectPlan, { limits, clock, stopping, onAnswered }: Bounds): Promise<Connected> {
  const { promise, resolve } = Promise.withResolvers<Connected>();
  const socket = connect({
    host: plan.address,
    port: plan.port,
    noDelay: true,
    ...(plan.localAddress === undefined ? {} : { localAddress: plan.localAddress }),
  });
  const limit = limitOf("connect", limits, clock.nowMs());
  const fail = (end: ConversationEnd): void => {
    socket.destroy();
    settle({ ok: false, end });
  };
  const onStop = (): void => fail({ kind: "abandoned" });
  const onTimeout = (): void => {
    const isOver = limit.cause === "deadline";
    const detail = isOver ? "the mail's time was over" : `connect to ${nameOf(plan)}: no answer in time`;
    fail({ kind: "local", step: "connect", cause: isOver ? "deadline" : "connect-timeout", detail });
  };
  const timer = setTimeout(onTimeout, Math.max(0, limit.atMs - clock.nowMs()));
  const settle = (result: Connected): void => {
    clearTimeout(timer);
    stopping.removeEventListener("abort", onStop);
    resolve(result);
  };
  stopping.addEventListener("abort", onStop, { once: true });
  socket.on("error", (error) => fail(endOfConnect(error, plan)));
  socket.once("connect", () => {
    // The body and its final dot are two writes of Nodemailer's.
    writeTogether(socket);
    onAnswered?.("connect");
    settle({ ok: true, socket });
  });
  if (stopping.aborted) onStop();
  return promise;
}
