// Every environment variable as data (operator contract, Environment): its default, what it must be, its meaning, and who uses it.
// The README's table is generated from here.
import { hostname } from "node:os";
import ipaddr from "ipaddr.js";
import { z } from "zod";
import type { ServiceName } from "#shared/broker/topology.ts";
import { parseDuration } from "#shared/duration.ts";
import { durationsSchema, smtpTimeoutsSchema } from "#shared/settings-schedules.ts";
import { isAmqpUrl, isDnsServer, isNetwork, isStaticHost } from "#shared/settings-values.ts";
import { mistakeOfUri } from "#shared/store/client.ts";

/** In digits: JavaScript takes `0x50` and `8e3` for numbers too. */
function wholeNumber(most: number, error: string): z.ZodType<number, string> {
  const isOne = (text: string): boolean => /^\s*\d+\s*$/.test(text) && Number(text) >= 1 && Number(text) <= most;
  return z.string().refine(isOne, { error }).transform(Number);
}

const port = wholeNumber(65_535, "a port from 1 to 65535");
const count = wholeNumber(Number.MAX_SAFE_INTEGER, "a whole number above 0");

const duration = z.string().transform((text, context) => {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  context.addIssue("a duration such as 90s, 5m, 48h or 30d, at most 36500d");
  return z.NEVER;
});

const list = z.string().transform((text) =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== ""),
);

function listOf(isValid: (item: string) => boolean, shape: string): z.ZodType<string[], string> {
  return list.refine((items) => items.every(isValid), { error: shape }) as z.ZodType<string[], string>;
}

const mongodbUri = z.string().superRefine((uri, context) => {
  const mistake = mistakeOfUri(uri);
  if (mistake !== undefined) context.addIssue(mistake);
});

const secretKey = z
  .base64({ error: "32 bytes in base64 (openssl rand -base64 32)" })
  .transform((text) => Buffer.from(text, "base64"))
  .refine((key) => key.length === 32, { error: "32 bytes in base64 (openssl rand -base64 32)" });

export interface SettingDefinition {
  schema: z.ZodType<unknown, string>;
  /** As it would stand in the environment; a required variable has neither default nor `optional`. */
  default?: string;
  optional?: true;
  /** How the README names the default where it is no fixed text. */
  defaultText?: string;
  meaning: string;
  secret?: true;
}

const define = <T extends Record<string, SettingDefinition>>(definitions: T): T => definitions;

export const SETTINGS = define({
  AMQP_URL: {
    schema: listOf(
      isAmqpUrl,
      "amqp:// or amqps:// URLs separated by commas, with their virtual hosts percent-encoded",
    ).refine((urls) => urls.length > 0, { error: "at least one amqp:// URL" }),
    meaning: "RabbitMQ; several nodes of a cluster separated by commas",
    secret: true,
  },
  MONGODB_URI: {
    schema: mongodbUri,
    meaning: "MongoDB replica set, with the database name (default `waypost`)",
    secret: true,
  },
  WAYPOST_HTTP_PORT: { schema: port, default: "8080", meaning: "ingest: `POST /v1/jobs`" },
  WAYPOST_SMTP_PORT: { schema: port, default: "2525", meaning: "ingest: SMTP submission with STARTTLS" },
  WAYPOST_SMTPS_PORT: { schema: port, optional: true, meaning: "ingest: the same with implicit TLS" },
  WAYPOST_SMTP_MAX_CONNECTIONS: { schema: count, default: "50", meaning: "for one source address" },
  WAYPOST_CONTROL_PORT: {
    schema: port,
    default: "8081",
    meaning: "control: the administration API and the console",
  },
  WAYPOST_HEALTH_PORT: {
    schema: port,
    optional: true,
    defaultText: "9464 and up by one per service, in the order above",
    meaning: "every service: `/livez`, `/readyz`, `/metrics` (Prometheus text)",
  },
  WAYPOST_BIND: {
    schema: z.string().refine((text) => ipaddr.isValid(text), { error: "an IP address" }),
    default: "127.0.0.1",
    meaning: "address that all listeners bind to",
  },
  WAYPOST_ADMIN_TOKEN: {
    schema: z
      .string()
      .regex(/^[!-~]([ -~]*[!-~])?$/, { error: "printable ASCII without white space (or a line end) around it" }),
    defaultText: "none (`npm start` makes one and keeps it in `.waypost/`)",
    meaning: "bearer token of the administration API",
    secret: true,
  },
  WAYPOST_SECRET_KEY: {
    schema: secretKey,
    defaultText: "none (likewise)",
    meaning: "32 bytes, base64: encrypts stored secrets",
    secret: true,
  },
  WAYPOST_SECRET_KEY_PREVIOUS: {
    schema: secretKey,
    optional: true,
    meaning: "still opens what was sealed before a rotation",
    secret: true,
  },
  WAYPOST_SMTP_TLS_CERT: {
    schema: z.string().min(1),
    optional: true,
    defaultText: "a self-signed pair made at start, with a warning",
    meaning: "TLS on the SMTP listeners (PEM file)",
  },
  WAYPOST_SMTP_TLS_KEY: {
    schema: z.string().min(1),
    optional: true,
    defaultText: "likewise",
    meaning: "its private key (PEM file)",
  },
  WAYPOST_FORBIDDEN_LOCAL_PARTS: {
    schema: list,
    default: "abuse,mailer-daemon,noreply,no-reply,postmaster",
    meaning: "recipients that are dropped as FORBIDDEN_RECIPIENT",
  },
  WAYPOST_SMTP_HEADER_PREFIX: {
    schema: listOf((item) => /^[A-Za-z][A-Za-z0-9-]*$/.test(item), "header names, e.g. X-Waypost,X-RETARUS-M4A").refine(
      (items) => items.length > 0,
      { error: "at least one header name, e.g. X-Waypost" },
    ),
    default: "X-Waypost",
    meaning: "see the service contract; `X-RETARUS-M4A` for senders that have it, `X-Waypost,X-RETARUS-M4A` for both",
  },
  WAYPOST_HOSTNAME: {
    schema: z.string().regex(/^[A-Za-z0-9.-]+$/, { error: "a host name" }),
    default: hostname(),
    defaultText: "the machine's name",
    meaning: "EHLO name, `by` of Received",
  },
  WAYPOST_RETRY_SCHEDULE: {
    schema: durationsSchema,
    default: "1m,5m,15m,30m,1h,2h,4h",
    meaning: "waits between attempts; the last one repeats",
  },
  WAYPOST_RETRY_DEADLINE: {
    schema: duration.refine((ms) => ms <= 48 * 3_600_000, { error: "at most 48h" }),
    default: "48h",
    meaning: "at most 48 h; from the acceptance of the job",
  },
  WAYPOST_SMTP_TIMEOUTS: {
    schema: smtpTimeoutsSchema,
    default: "connect=30s,greeting=5m,command=5m,data=3m,dot=10m,total=20m",
    meaning: "longest wait at each step of a delivery attempt, and for the whole",
  },
  WAYPOST_NOTIFY_SCHEDULE: {
    schema: durationsSchema,
    default: "5s,30s,2m,10m,30m,1h",
    meaning: "waits between tries of a push notification; the last one repeats",
  },
  WAYPOST_NOTIFY_DEADLINE: {
    schema: duration,
    default: "72h",
    meaning: "then push notifications are kept as dead and can be replayed",
  },
  WAYPOST_NOTIFY_BATCH: { schema: count, default: "100", meaning: "most notifications in one POST" },
  WAYPOST_NOTIFY_LINGER: {
    schema: duration.refine((ms) => ms <= 600_000, {
      error: "at most 10m: the broker takes a message back after 30 minutes",
    }),
    default: "1s",
    meaning: "longest wait to fill one",
  },
  WAYPOST_DNS_SERVERS: {
    schema: listOf(isDnsServer, "IP addresses of DNS servers with their ports: 192.0.2.53:53,[2001:db8::53]:53"),
    optional: true,
    defaultText: "the system's",
    meaning: "`host:port,…`, for MX, A and AAAA look-ups",
  },
  WAYPOST_DNSSEC: {
    schema: z.enum(["untrusted", "trusted"], { error: "untrusted or trusted" }),
    default: "untrusted",
    meaning: "`trusted`: those servers validate DNSSEC; only then DANE is used",
  },
  WAYPOST_STATIC_HOSTS: {
    schema: listOf(isStaticHost, "name=address,…").transform((items) =>
      items.map((item) => ({ name: (item.split("=")[0] ?? "").toLowerCase(), address: item.split("=")[1] ?? "" })),
    ),
    optional: true,
    meaning: "`name=address,…`, before DNS: for relays that public DNS does not know",
  },
  WAYPOST_MX_PORT: { schema: port, default: "25", meaning: "port of the default route" },
  WAYPOST_ALLOW_NETWORKS: {
    schema: listOf(isNetwork, "networks in CIDR notation, e.g. 10.0.0.0/8"),
    optional: true,
    defaultText: "none (`npm start`: loopback)",
    meaning:
      "CIDR list of otherwise refused networks (loopback, private, link-local, metadata) that push endpoints and delivery targets may be in",
  },
  WAYPOST_DRAIN_SECONDS: {
    // A timer that is set for over 24 days ends at once, and with it what is in hand.
    schema: wholeNumber(86_400, "a whole number of seconds, from 1 to 86400"),
    default: "30",
    meaning: "longest time that SIGTERM gives to what is in hand",
  },
  WAYPOST_RETENTION: { schema: duration, default: "30d", meaning: "how long mails and tracking points are kept" },
  LOG_LEVEL: {
    schema: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"], {
      error: "one of trace, debug, info, warn, error, fatal, silent",
    }),
    default: "info",
    meaning: "JSON lines on stdout (nothing else there), with `trace_id` and `span_id`",
  },
} as const);

export type SettingName = keyof typeof SETTINGS;

export const COMMON = [
  "AMQP_URL",
  "MONGODB_URI",
  "WAYPOST_BIND",
  "WAYPOST_HEALTH_PORT",
  "WAYPOST_DRAIN_SECONDS",
  "LOG_LEVEL",
] as const;
const SECRETS = ["WAYPOST_SECRET_KEY", "WAYPOST_SECRET_KEY_PREVIOUS"] as const;
const NETWORK = ["WAYPOST_DNS_SERVERS", "WAYPOST_STATIC_HOSTS", "WAYPOST_ALLOW_NETWORKS"] as const;

/** The settings that each service uses: it checks these and no others. */
export const USES = {
  ingest: [
    ...COMMON,
    ...SECRETS,
    "WAYPOST_HTTP_PORT",
    "WAYPOST_SMTP_PORT",
    "WAYPOST_SMTPS_PORT",
    "WAYPOST_SMTP_MAX_CONNECTIONS",
    "WAYPOST_SMTP_TLS_CERT",
    "WAYPOST_SMTP_TLS_KEY",
    "WAYPOST_SMTP_HEADER_PREFIX",
    "WAYPOST_HOSTNAME",
    "WAYPOST_RETRY_DEADLINE",
  ],
  router: [...COMMON, ...SECRETS, "WAYPOST_FORBIDDEN_LOCAL_PARTS"],
  delivery: [
    ...COMMON,
    ...SECRETS,
    ...NETWORK,
    "WAYPOST_DNSSEC",
    "WAYPOST_SMTP_PORT",
    "WAYPOST_SMTPS_PORT",
    "WAYPOST_MX_PORT",
    "WAYPOST_HOSTNAME",
    "WAYPOST_SMTP_TIMEOUTS",
    "WAYPOST_RETRY_SCHEDULE",
  ],
  "retry-scheduler": [...COMMON, "WAYPOST_RETRY_SCHEDULE"],
  notifier: [
    ...COMMON,
    ...SECRETS,
    ...NETWORK,
    "WAYPOST_NOTIFY_SCHEDULE",
    "WAYPOST_NOTIFY_DEADLINE",
    "WAYPOST_NOTIFY_BATCH",
    "WAYPOST_NOTIFY_LINGER",
    "WAYPOST_RETENTION",
  ],
  control: [
    ...COMMON,
    ...SECRETS,
    "WAYPOST_CONTROL_PORT",
    "WAYPOST_ADMIN_TOKEN",
    "WAYPOST_FORBIDDEN_LOCAL_PARTS",
    "WAYPOST_MX_PORT",
    "WAYPOST_NOTIFY_DEADLINE",
    "WAYPOST_RETENTION",
  ],
} as const satisfies Record<ServiceName, readonly SettingName[]>;
