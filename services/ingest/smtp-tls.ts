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
  const refuse = (why: string): { problem: string } => ({
    problem: `${setting} is ${JSON.stringify(path)}: it should be a readable PEM file (${why})`,
  });
  try {
    const pem = await readFile(path, "utf8");
    // Node takes an empty file for one that is not given, and every handshake fails.
    return pem.trim() === "" ? refuse("it is empty") : { pem };
  } catch (error) {
    return refuse(error instanceof Error && "code" in error ? String(error.code) : "unreadable");
  }
}

export interface TlsFiles {
  cert: string | undefined;
  key: string | undefined;
}

export const namesNone = ({ cert, key }: TlsFiles): boolean => cert === undefined && key === undefined;

/** The pair that the settings name; where they name none, one that is made here. */
export async function loadTls(files: TlsFiles, hostname: string, clock: Clock): Promise<TlsResult> {
  if (!namesNone(files)) return readTls(files);
  const { makeSelfSigned } = await import("./self-signed.ts");
  return { ok: true, pair: await makeSelfSigned(hostname, clock) };
}

/** The pair of both files, checked to belong together. */
export async function readTls(files: TlsFiles): Promise<TlsResult> {
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
