// Watches the signing certificates of sender domains: their expiry as a metric, a warning within 30 days of it, and an alarm
// once it is over, for nothing of the domain is sent any more then (contract, Message Signing). Counts the dead letters too.
import { metrics } from "@opentelemetry/api";
import { certificateFacts } from "#shared/signing/certificate.ts";
import { METRICS } from "#shared/telemetry/names.ts";
import type { SenderDomain } from "#shared/routing/configuration.ts";
import type { ApiContext } from "./api/context.ts";

const WARN_BEFORE_MS = 30 * 24 * 3_600_000;
const LOOK_MS = 60_000;

export interface Expiry {
  account: string;
  domain: string;
  notAfter: Date;
  isSigning: boolean;
}

export function expiriesOf(domains: readonly SenderDomain[]): Expiry[] {
  return domains.flatMap(({ account, domain, messageSigning, signing }) => {
    const facts = signing === undefined ? undefined : certificateFacts(signing.certificate);
    return facts === undefined ? [] : [{ account, domain, notAfter: facts.notAfter, isSigning: messageSigning }];
  });
}

export function levelOf({ notAfter, isSigning }: Expiry, now: Date): "fine" | "soon" | "expired" {
  const leftMs = notAfter.getTime() - now.getTime();
  if (!isSigning || leftMs > WARN_BEFORE_MS) return "fine";
  return leftMs > 0 ? "soon" : "expired";
}

/** Of the domains that sign: mails of the others are sent whatever becomes of their certificate. */
export function secondsLeft(
  expiries: readonly Expiry[],
  now: Date,
): { seconds: number; labels: { account: string; domain: string } }[] {
  return expiries
    .filter(({ isSigning }) => isSigning)
    .map(({ account, domain, notAfter }) => ({
      seconds: (notAfter.getTime() - now.getTime()) / 1_000,
      labels: { account, domain },
    }));
}

async function look(context: ApiContext, told: Set<string>): Promise<Expiry[]> {
  const expiries = expiriesOf(await context.domains.withPrefix(""));
  for (const expiry of expiries) {
    const level = levelOf(expiry, context.clock.now());
    const { account, domain, notAfter } = expiry;
    const key = `${account}/${domain} ${notAfter.toISOString()} ${level}`;
    if (level === "fine" || told.has(key)) continue;
    told.add(key);
    const facts = { account, domain, notAfter };
    if (level === "soon") context.log.warn(facts, "control.certificate_expires");
    else context.log.error(facts, "control.certificate_expired");
  }
  return expiries;
}

export function watchCertificates(context: ApiContext): { stop(): void } {
  const { clock, log } = context;
  const stopped = new AbortController();
  let seen: { expiries: Expiry[]; deadLetters: number } = { expiries: [], deadLetters: 0 };
  const meter = metrics.getMeter("waypost");
  meter
    .createObservableGauge(METRICS.certificateExpiry, {
      unit: "s",
      description: "Time until a signing certificate expires",
    })
    .addCallback((result) => {
      for (const { seconds, labels } of secondsLeft(seen.expiries, clock.now())) result.observe(seconds, labels);
    });
  meter
    .createObservableGauge(METRICS.deadLetters, { description: "Messages that no service could handle" })
    .addCallback((result) => result.observe(seen.deadLetters));
  const run = async (): Promise<void> => {
    const told = new Set<string>();
    while (!stopped.signal.aborted) {
      try {
        seen = { expiries: await look(context, told), deadLetters: await context.deadLetters.count() };
      } catch (error) {
        log.debug({ err: error }, "control.certificates_unread");
      }
      await clock.sleep(LOOK_MS, stopped.signal).catch(() => undefined);
    }
  };
  void run();
  return { stop: () => stopped.abort() };
}
