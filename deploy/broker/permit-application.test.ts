// What the script gives to rabbitmqctl on its standard input; what it permits is tried in test/path/broker-permissions.test.ts.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { expect, it } from "vitest";

/** Reads its standard input to the end whatever it is asked, as Erlang does. */
const RABBITMQCTL = `#!/bin/sh
input=$(cat)
[ "$2" = add_user ] && printf '%s' "$input" > "$0.password"
exit 0
`;

it("a password that is piped in is the new user's", () => {
  const folder = mkdtempSync(join(tmpdir(), "waypost-permit-"));
  const program = join(folder, "rabbitmqctl");
  writeFileSync(program, RABBITMQCTL);
  chmodSync(program, 0o755);
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env["PATH"] ?? ""}` };
  const script = join(import.meta.dirname, "permit-application.sh");
  execFileSync("sh", [script, "acme-app", "acme"], { env, input: "secret\n" });
  expect(readFileSync(`${program}.password`, "utf8")).toBe("secret");
  rmSync(folder, { recursive: true });
});
