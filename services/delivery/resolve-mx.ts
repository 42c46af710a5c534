// The default route: the mail exchangers of a recipient domain (RFC 5321 §5.1), with MTA-STS and, where the resolver is
// declared to validate, DANE. By preference, shuffled among equals; every address is checked and then connected to.
import type { Clock } from "#shared/clock.ts";
import type { MxRecord } from "#shared/network/resolver.ts";
import { daneCheck } from "./dane.ts";
import type { MtaSts } from "./mta-sts.ts";
import type { Target, TargetPorts, Targets } from "./target.ts";
import { findAddresses, refusal } from "./target.ts";
import type { CertificateCheck } from "./tls.ts";

export interface MxPorts extends TargetPorts {
  clock: Clock;
  mtaSts: MtaSts;
  port: number;
  usesDane: boolean;
}

export interface MxQuestion {
  domain: string;
  sourceIp: string | undefined;
}

/** Names that are looked up, and hosts of those that one attempt goes through, at most: the best may lead nowhere. */
const MOST_NAMES = 30;
const MOST_HOSTS = 6;

/** By preference; the order among equals is drawn anew each time (RFC 5321 §5.1). */
export function orderHosts(records: readonly MxRecord[], random: () => number): string[] {
  return records
    .map((record) => ({ ...record, draw: random() }))
    .toSorted((one, other) => one.priority - other.priority || one.draw - other.draw)
    .map(({ exchange }) => exchange);
}

type Exchangers = { ok: true; hosts: readonly string[] } | (Targets & { ok: false });

async function findExchangers(domain: string, { network, clock }: MxPorts): Promise<Exchangers> {
  const lookup = await network.dns.mx(domain);
  if (!lookup.ok) {
    if (lookup.failure === "unavailable") return refusal("dns-unavailable", lookup.text);
    if (lookup.failure === "nxdomain") return refusal("domain-unknown", lookup.text);
    return { ok: true, hosts: [domain] };
  }
  const named = lookup.records.filter(({ exchange }) => exchange !== "" && exchange !== ".");
  if (named.length === 0) return refusal("null-mx", `${domain} takes no mail: it has a null MX (RFC 7505)`);
  return { ok: true, hosts: orderHosts(named, () => clock.random()).slice(0, MOST_NAMES) };
}

/** `needsTls`: there are records, though none of them may say which certificate is good. */
type Dane = { ok: true; needsTls: boolean; certificate?: CertificateCheck | undefined } | (Targets & { ok: false });

async function daneOf(host: string, { usesDane, network, port, clock }: MxPorts): Promise<Dane> {
  if (!usesDane) return { ok: true, needsTls: false };
  const lookup = await network.dns.tlsa(`_${port}._tcp.${host}`);
  if (lookup.ok) return { ok: true, needsTls: true, certificate: daneCheck(lookup.records, () => clock.nowMs()) };
  // What could not be asked is not known to be unprotected (RFC 7672 §2.1).
  return lookup.failure === "unavailable" ? refusal("policy-failed", lookup.text) : { ok: true, needsTls: false };
}

interface HostQuestion extends MxQuestion {
  host: string;
  demand: "verified" | "refused" | undefined;
}

async function targetsOf({ host, sourceIp, demand, domain }: HostQuestion, ports: MxPorts): Promise<Targets> {
  if (demand === "refused") return refusal("policy-failed", `${host} is not in the MTA-STS policy of ${domain}`);
  const { port } = ports;
  const loop = "loop";
  const found = await findAddresses({ host, port, sourceIp, loop }, ports);
  if (!found.ok) return found;
  const dane = await daneOf(host, ports);
  if (!dane.ok) return dane;
  const tls = dane.certificate !== undefined ? "required" : (demand ?? (dane.needsTls ? "required" : "opportunistic"));
  const base = { host, port, localAddress: sourceIp, tls, certificate: dane.certificate, loop } as const;
  return { ok: true, targets: found.addresses.map((address): Target => ({ ...base, address })) };
}

/** What nobody can mend by waiting bounces; one host of which something may still come defers. */
function worstOf(failures: readonly (Targets & { ok: false })[], domain: string): Targets & { ok: false } {
  const mayMend = failures.find(({ end }) => end.kind === "local" && MAY_MEND.includes(end.cause));
  if (mayMend !== undefined) return mayMend;
  const loop = failures.find(({ end }) => end.kind === "local" && end.cause === "loop");
  if (loop !== undefined) return loop;
  const texts = failures.map(({ end }) => (end.kind === "local" ? end.detail : "")).join("; ");
  return refusal("domain-without-server", `no mail server of ${domain} can be used: ${texts}`);
}

const MAY_MEND: readonly string[] = ["dns-unavailable", "policy-failed", "source-address-missing", "connect-failed"];

export async function mxTargets(question: MxQuestion, ports: MxPorts): Promise<Targets> {
  const exchangers = await findExchangers(question.domain, ports);
  if (!exchangers.ok) return exchangers;
  const demandOn = await ports.mtaSts.demandOn(question.domain);
  const failures: (Targets & { ok: false })[] = [];
  // The best first: nobody waits for the names of others, unless none of these leads anywhere.
  for (let from = 0; from < exchangers.hosts.length; from += MOST_HOSTS) {
    const hosts = exchangers.hosts.slice(from, from + MOST_HOSTS);
    const answers = await Promise.all(
      hosts.map((host) => targetsOf({ ...question, host, demand: demandOn?.(host) }, ports)),
    );
    const targets = answers.flatMap((answer) => (answer.ok ? answer.targets : []));
    if (targets.length > 0) return { ok: true, targets };
    failures.push(...answers.filter((answer) => !answer.ok));
  }
  return worstOf(failures, question.domain);
}
