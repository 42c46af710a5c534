// Where an attempt may connect to: checked addresses in the order in which they are tried, and how to speak there.
import { networkInterfaces } from "node:os";
import ipaddr from "ipaddr.js";
import type { NetworkPolicy } from "#shared/network/policy.ts";
import { familyOf } from "#shared/network/policy.ts";
import type { Relay, TlsMode } from "#shared/routing/configuration.ts";
import type { Route } from "#shared/routing/route.ts";
import type { Sealer } from "#shared/secrets.ts";
import type { AttemptEnd, LocalCause } from "#shared/life/outcome.ts";
import type { CertificateCheck } from "./tls.ts";

/** What it is where the way leads back to us: of a relay a fault of its set-up, which may be mended. */
export type LoopCause = Extract<LocalCause, "loop" | "relay-loop">;

export interface Target {
  host: string;
  address: string;
  port: number;
  localAddress?: string | undefined;
  tls: TlsMode;
  auth?: { user: string; password: string } | undefined;
  certificate?: CertificateCheck | undefined;
  loop: LoopCause;
}

export type Targets = { ok: true; targets: readonly Target[] } | { ok: false; end: AttemptEnd };

/** The addresses that this machine can send from. */
export type LocalAddresses = (address: string) => boolean;

const normalize = (address: string): string => (ipaddr.isValid(address) ? ipaddr.process(address).toString() : address);

/** Asked anew each time: an address may come to a machine, and leave it. All of 127.0.0.0/8 is there on Linux. */
export const isLocalAddress: LocalAddresses = (address) => {
  const wanted = normalize(address);
  if (wanted.startsWith("127.")) return true;
  return Object.values(networkInterfaces()).some((all) => all?.some((one) => normalize(one.address) === wanted));
};

export interface TargetPorts {
  network: NetworkPolicy;
  sealer: Sealer;
  isLocal: LocalAddresses;
  /** Whether an address and port are a listener of Waypost itself. */
  isOurListener(address: string, port: number): boolean;
}

export function refusal(cause: LocalCause, detail: string): Targets & { ok: false } {
  return { ok: false, end: { kind: "local", step: "resolve", cause, detail } };
}

export interface AddressedHost {
  host: string;
  port: number;
  sourceIp: string | undefined;
  loop: LoopCause;
}

export type Found = { ok: true; addresses: readonly string[] } | (Targets & { ok: false });

/** The addresses of a host by A and AAAA, of the family of the source address, none of them ourselves. */
export async function findAddresses({ host, port, sourceIp, loop }: AddressedHost, ports: TargetPorts): Promise<Found> {
  if (sourceIp !== undefined && !ports.isLocal(sourceIp)) {
    return refusal("source-address-missing", `this machine does not have the dedicated IP ${sourceIp}`);
  }
  const resolution = await ports.network.resolve(host);
  if (!resolution.ok) {
    const causes = { unavailable: "dns-unavailable", refused: "network-refused" } as const;
    const { failure } = resolution;
    const cause = failure === "unavailable" || failure === "refused" ? causes[failure] : "relay-unknown";
    return refusal(cause, resolution.text);
  }
  const fitting = resolution.addresses
    .map(({ address }) => address)
    .filter((address) => sourceIp === undefined || familyOf(address) === familyOf(sourceIp));
  if (fitting.length === 0)
    return refusal("connect-failed", `${host} has no address of the family of ${String(sourceIp)}`);
  const addresses = fitting.filter((address) => !ports.isOurListener(address, port));
  if (addresses.length === 0) return refusal(loop, `${host}[${String(fitting[0])}]:${port} is this service itself`);
  return { ok: true, addresses };
}

type RelayRoute = Extract<Route, { kind: "relay" }>;

function credentialsOf({ auth }: Pick<Relay, "auth">, sealer: Sealer): Target["auth"] | "unreadable" {
  if (auth === undefined) return undefined;
  try {
    return { user: auth.user, password: sealer.open(auth.password) };
  } catch {
    return "unreadable";
  }
}

export type RelayPlace = Pick<Relay, "host" | "port" | "tls" | "auth">;

/** A relay is found by its own addresses, never by MX (contract, Relay Service 2). */
export async function relayTargets(
  relay: RelayPlace,
  sourceIp: string | undefined,
  ports: TargetPorts,
): Promise<Targets> {
  const auth = credentialsOf(relay, ports.sealer);
  if (auth === "unreadable")
    return refusal("secret-unreadable", `the stored password for ${relay.host} cannot be opened`);
  const { host, port, tls } = relay;
  const loop = "relay-loop";
  const found = await findAddresses({ host, port, sourceIp, loop }, ports);
  if (!found.ok) return found;
  return {
    ok: true,
    targets: found.addresses.map((address) => ({ host, address, port, localAddress: sourceIp, tls, auth, loop })),
  };
}

/** What tells one relay's connections from another's: a changed configuration takes none of the old ones. */
export function relayKey({ relay, sourceIp }: RelayRoute): string {
  const { host, port, tls, auth } = relay;
  return JSON.stringify([host, port, tls, auth?.user, auth?.password, sourceIp]);
}
