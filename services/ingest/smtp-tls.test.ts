// What is said of the files that WAYPOST_SMTP_TLS_CERT and WAYPOST_SMTP_TLS_KEY name.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { readTls } from "./smtp-tls.ts";

it.each(["", "\n"])("refuses files that hold %j: no client could begin TLS", async (content) => {
  const folder = mkdtempSync(join(tmpdir(), "waypost-tls-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "empty.pem");
  writeFileSync(file, content);
  const shape = `is ${JSON.stringify(file)}: it should be a readable PEM file (it is empty)`;
  expect(await readTls({ cert: file, key: file })).toEqual({
    ok: false,
    problems: [`WAYPOST_SMTP_TLS_CERT ${shape}`, `WAYPOST_SMTP_TLS_KEY ${shape}`],
  });
});
