// The configuration that routing looks at, as plain data. Written by control alone; read through shared/store/configuration.ts.

export interface EndpointSettings {
  url: string;
  /** Those whose value may be a secret are sealed; ones from before this was done stand in clear. */
  headers?: readonly { name: string; value: string; isSealed?: true }[];
  authentication?: { method: "BASIC"; user: string; /** sealed */ password: string };
  /** sealed */
  signingSecret?: string;
  /** sealed; valid beside `signingSecret` during a rotation */
  previousSigningSecret?: string;
}

export const ACCOUNT_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

export interface Account {
  /** The account's name. */
  _id: string;
  /** Tells it from one of the same name that is gone. Absent in those that were made before there were any. */
  serial?: string;
  customerNo: string;
  tenant?: string;
  /** argon2id hash, see shared/passwords.ts */
  passwordHash?: string;
  sourceIps: readonly string[];
  dedicatedIp?: string;
  brokerUser?: string;
  notification?: EndpointSettings;
  limits: { jobsPerSecond?: number; waitingMails: number };
  /** Set by DELETE: refuses new jobs, its configuration stays until its last mail has ended and is notified. */
  removedAt?: Date;
}

export interface SenderDomain {
  /** `<account>/<domain>`; the domain as lower-case A-labels. */
  _id: string;
  account: string;
  domain: string;
  messageSigning: boolean;
  /** PEM certificate with its chain, and the sealed private key. */
  signing?: { certificate: string; privateKey: string };
  dkim?: { selector: string; privateKey: string; relayed: boolean };
}

export const TLS_MODES = ["never", "opportunistic", "required", "verified"] as const;
export type TlsMode = (typeof TLS_MODES)[number];

export interface Relay {
  /** `<account>/<domain>` */
  _id: string;
  account: string;
  domain: string;
  host: string;
  port: number;
  /** Lower-case addresses; empty: every sender of the domain. */
  senders: readonly string[];
  tls: TlsMode;
  auth?: { user: string; /** sealed */ password: string };
  maxConnections: number;
  enabled: boolean;
  /** An operator's hold on the lane (suspend). */
  held: boolean;
  /** Counts up with each resume: a delivery replica that sees it change resets the lane's breaker. */
  resumedCount: number;
  /** Set when it was removed or disabled with `?waiting=`: what its waiting mails do. Removed relays stay as a tombstone until the longest deadline is over. */
  removed?: { at: Date; waiting: "reroute" | "bounce" };
}

/** Everything, at one moment. Look-ups by key only: the same cost with one relay and with a thousand. */
export interface Configuration {
  account(name: string): Account | undefined;
  accounts(): readonly Account[];
  accountOfBrokerUser(user: string): Account | undefined;
  domain(account: string, domain: string): SenderDomain | undefined;
  /** Also disabled ones and tombstones: whoever asks looks at `enabled` and `removed`. */
  relay(account: string, domain: string): Relay | undefined;
  relays(): readonly Relay[];
}

export interface ConfigurationPort {
  /** The newest configuration. Throws ConfigurationStale when it could not be confirmed for 5 s. */
  current(): Configuration;
  /** The newest that is known, fresh or not: for what is no attempt. Undefined until the database has answered once. */
  readonly newest: Configuration | undefined;
  /** A configuration that was asked for since the call: it has what control answered before. Throws ConfigurationStale where there is no answer. */
  confirmed(): Promise<Configuration>;
  /** Called after each change that was applied; returns how to stop. */
  onChange(listener: (configuration: Configuration) => void): () => void;
  readonly isFresh: boolean;
  close(): Promise<void>;
}
