// How the trace of a caller comes in and how an endpoint is told of it (OTEL_PROPAGATORS). Between the services it is always W3C.
import type { Context, TextMapPropagator } from "@opentelemetry/api";
import { propagation, ROOT_CONTEXT } from "@opentelemetry/api";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import type { OtelVariables, Warn } from "./exported.ts";

const DEFAULT = "tracecontext,baggage";

/** B3 is loaded only where it is named. */
const PROPAGATORS: Readonly<Record<string, () => Promise<TextMapPropagator>>> = {
  tracecontext: async () => new W3CTraceContextPropagator(),
  baggage: async () => new W3CBaggagePropagator(),
  b3: async () => new (await import("@opentelemetry/propagator-b3")).B3Propagator(),
  b3multi: async () => {
    const { B3InjectEncoding, B3Propagator } = await import("@opentelemetry/propagator-b3");
    return new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER });
  },
};

/** What the variable names; what is none of ours goes to `warn` and is left out. */
export async function createPropagator(variables: OtelVariables, warn: Warn): Promise<TextMapPropagator> {
  const names = (variables["OTEL_PROPAGATORS"] ?? DEFAULT).split(",").map((name) => name.trim().toLowerCase());
  const wanted = [...new Set(names)].filter((name) => name !== "" && name !== "none");
  const unknown = wanted.filter((name) => !Object.hasOwn(PROPAGATORS, name));
  if (unknown.length > 0)
    warn(`OTEL_PROPAGATORS: ${unknown.join(", ")} left out: ${Object.keys(PROPAGATORS).join(", ")} or none`);
  const known = Object.entries(PROPAGATORS).filter(([name]) => wanted.includes(name));
  return new CompositePropagator({ propagators: await Promise.all(known.map(([, create]) => create())) });
}

/** The context that a caller names in its headers; an empty one where it names none. */
export function contextOfCaller(headers: Readonly<Record<string, unknown>>): Context {
  return propagation.extract(ROOT_CONTEXT, headers, {
    keys: (carrier) => Object.keys(carrier),
    get: (carrier, key) => {
      const value = Object.hasOwn(carrier, key) ? carrier[key] : undefined;
      return typeof value === "string" ? value : undefined;
    },
  });
}

/** The headers that tell a receiver of a context. */
export function headersOf(context: Context): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(context, headers);
  return headers;
}
