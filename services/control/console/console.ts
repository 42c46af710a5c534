// The console: one page without a build step, served from the files beside this one. It asks the API with the operator's token.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

const FILES = [
  { path: "/", file: "index.html", type: "text/html; charset=utf-8" },
  { path: "/console.css", file: "console.css", type: "text/css; charset=utf-8" },
  { path: "/console.js", file: "console.js", type: "text/javascript; charset=utf-8" },
] as const;

export function addConsole(app: FastifyInstance): void {
  for (const { path, file, type } of FILES) {
    const content = readFileSync(join(import.meta.dirname, file));
    app.get(path, { schema: { hide: true } }, (_request, reply) =>
      reply
        .headers({
          "content-security-policy": POLICY,
          "x-content-type-options": "nosniff",
          "referrer-policy": "no-referrer",
          "cache-control": "no-cache",
        })
        .type(type)
        .send(content),
    );
  }
}
