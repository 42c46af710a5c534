// TLS of the SMTP listeners: the operator's certificate, or a self-signed pair that lives as long as the process.
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import type { Clock } from "#shared/clock.ts";

export interface TlsPair {
  cert: string;
  key: string;
  /** Made here: clients cannot verify it. */
  isSelfSigned: boolean;
}

export type TlsResult = { ok: true; pair: TlsPair } | { ok: false; problems: readonly string[] };

async function readPem(setting: string, path: string): Promise<{ pem: string } | { problem: string }> {
  try {
    return { pem: await readFile(path, "utf8") };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    return { problem: `${setting} is ${JSON.stringify(path)}: it should be a readable PEM file (${code})` };
  }
}

/** The pair that the settings name, checked to belong together; undefined settings make one. */
export async function loadTls(
  files: { cert?: string | undefined; key?: string | undefined },
  hostname: string,
  clock: Clock,
): Promise<TlsResult> {
  if (files.cert === undefined && files.key === undefined) {
    const { makeSelfSigned } = await import("./self-signed.ts");
    return { ok: true, pair: await makeSelfSigned(hostname, clock) };
  }
  if (files.cert === undefined || files.key === undefined) {
    const [missing, other] = files.cert === undefined ? ["CERT", "KEY"] : ["KEY", "CERT"];
    return {
      ok: false,
      problems: [`WAYPOST_SMTP_TLS_${missing} is not set: it is needed beside WAYPOST_SMTP_TLS_${other}`],
    };
  }
  const cert = await readPem("WAYPOST_SMTP_TLS_CERT", files.cert);
  const key = await readPem("WAYPOST_SMTP_TLS_KEY", files.key);
  if ("problem" in cert || "problem" in key) {
    return { ok: false, problems: [cert, key].flatMap((read) => ("problem" in read ? [read.problem] : [])) };
  }
  try {
    createSecureContext({ cert: cert.pem, key: key.pem });
  } catch {
    return {
      ok: false,
      problems: ["WAYPOST_SMTP_TLS_CERT and WAYPOST_SMTP_TLS_KEY should be a PEM pair that belongs together"],
    };
  }
  return { ok: true, pair: { cert: cert.pem, key: key.pem, isSelfSigned: false } };
}
