// What a path answers to the methods that it does not have: 405 with Allow (RFC 9110 §15.5.6), not 404.
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from "fastify";

/** Call it before the routes are added, and what it returns after them. `refuse` sends the 405 itself. */
export function refuseOtherMethods(
  app: FastifyInstance,
  refuse: (request: FastifyRequest, reply: FastifyReply) => FastifyReply,
): () => void {
  const methodsOf = new Map<string, Set<string>>();
  app.addHook("onRoute", ({ method, path }: RouteOptions & { path: string }) => {
    const known = methodsOf.get(path) ?? new Set();
    methodsOf.set(path, new Set([...known, ...[method].flat()]));
  });
  return () => {
    for (const [url, known] of methodsOf) {
      const others = app.supportedMethods.filter((method) => !known.has(method));
      const allow = [...known].toSorted().join(", ");
      if (others.length === 0 || url.includes("*")) continue;
      app.route({
        method: others,
        url,
        schema: { hide: true },
        // Before the body is read: what it holds does not matter.
        onRequest: async (request, reply) => refuse(request, reply.header("allow", allow)),
        handler: async (_request, reply) => reply,
      });
    }
  };
}
