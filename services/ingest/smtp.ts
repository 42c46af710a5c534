// SMTP submission (contract, JobRequest over SMTP; operator contract, Environment): its listeners, with their TLS.
import type { Clock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import type { Confirmable } from "#shared/routing/find-confirmed.ts";
import type { SettingsOf } from "#shared/settings.ts";
import type { Authenticator } from "./authenticate.ts";
import { createLargePlaces } from "./large-places.ts";
import type { SessionLimits } from "./smtp-connection.ts";
import { SESSION_LIMITS } from "./smtp-connection.ts";
import { createSmtpListeners } from "./smtp-server.ts";
import { createSessionHandlers } from "./smtp-session.ts";
import { loadTls, namesNone, readTls } from "./smtp-tls.ts";
import type { Accept } from "./submission.ts";

/**
 * What bounds the memory of messages on their way in, whoever sends them and however slowly:
 *
 *   message over   at once   take at most
 *   256 KiB        16        32 MiB
 *   2 MiB          3         60 MiB, and once again while they are put together
 */
const TIERS = [
  { above: 256 * 1024, atOnce: 16 },
  { above: 2 * 1024 * 1024, atOnce: 3 },
];
/** How long one more may wait for its turn. */
const PLACE_WAIT_MS = 60_000;

export interface SmtpParts {
  settings: Pick<
    SettingsOf<"ingest">,
    | "WAYPOST_BIND"
    | "WAYPOST_HOSTNAME"
    | "WAYPOST_SMTP_PORT"
    | "WAYPOST_SMTPS_PORT"
    | "WAYPOST_SMTP_MAX_CONNECTIONS"
    | "WAYPOST_SMTP_TLS_CERT"
    | "WAYPOST_SMTP_TLS_KEY"
    | "WAYPOST_SMTP_HEADER_PREFIX"
  >;
  configuration: Confirmable;
  authenticator: Authenticator;
  accept: Accept;
  clock: Clock;
  log: Log;
  limits?: SessionLimits;
}

export interface Smtp {
  port: number;
  /** Of implicit TLS, where there is such a listener. */
  tlsPort: number | undefined;
  /** Takes no new sessions; resolves when those that there are have ended. */
  close(): Promise<void>;
}

/** What is wrong with the TLS files, one line each; for the start of the service. */
export async function checkSmtpTls(settings: Partial<SmtpParts["settings"]>): Promise<readonly string[]> {
  const files = { cert: settings.WAYPOST_SMTP_TLS_CERT, key: settings.WAYPOST_SMTP_TLS_KEY };
  const tls = namesNone(files) ? undefined : await readTls(files);
  return tls?.ok === false ? tls.problems : [];
}

/** Listens for SMTP submissions. Throws for a TLS pair that is none. */
export async function startSmtp(parts: SmtpParts): Promise<Smtp> {
  const { settings, configuration, authenticator, accept, clock, log } = parts;
  const hostname = settings.WAYPOST_HOSTNAME;
  const files = { cert: settings.WAYPOST_SMTP_TLS_CERT, key: settings.WAYPOST_SMTP_TLS_KEY };
  const tls = await loadTls(files, hostname, clock);
  if (!tls.ok) throw new Error(tls.problems.join("; "));
  if (tls.pair.isSelfSigned) log.warn({ hostname }, "ingest.smtp-self-signed");
  const tiers = TIERS.map(({ above, atOnce }) => ({ above, places: createLargePlaces(atOnce, PLACE_WAIT_MS, clock) }));
  const listeners = createSmtpListeners({
    bind: settings.WAYPOST_BIND,
    hostname,
    tls: tls.pair,
    maxConnections: settings.WAYPOST_SMTP_MAX_CONNECTIONS,
    limits: parts.limits ?? SESSION_LIMITS,
    handlers: createSessionHandlers(
      { hostname, headerPrefixes: settings.WAYPOST_SMTP_HEADER_PREFIX },
      { configuration, authenticator, accept, tiers, clock },
    ),
    log,
  });
  const port = await listeners.listen(settings.WAYPOST_SMTP_PORT, false);
  const tlsSetting = settings.WAYPOST_SMTPS_PORT;
  const tlsPort = tlsSetting === undefined ? undefined : await listeners.listen(tlsSetting, true);
  log.info({ port, tlsPort }, "ingest.smtp-listening");
  return { port, tlsPort, close: () => listeners.close() };
}
