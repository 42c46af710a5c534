import { expect, it } from "vitest";
import { readSettings, unknownVariables } from "./settings.ts";

const key = Buffer.alloc(32, 7).toString("base64");
const base = { AMQP_URL: "amqp://a", MONGODB_URI: "mongodb://m/db", WAYPOST_SECRET_KEY: key };

it("gives the contract's defaults", () => {
  const read = readSettings("delivery", base);
  expect(read).toMatchObject({
    ok: true,
    settings: {
      AMQP_URL: ["amqp://a"],
      WAYPOST_BIND: "127.0.0.1",
      WAYPOST_RETRY_SCHEDULE: [60_000, 300_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000],
      WAYPOST_MX_PORT: 25,
      WAYPOST_SMTP_TIMEOUTS: {
        connect: 30_000,
        greeting: 300_000,
        command: 300_000,
        data: 180_000,
        dot: 600_000,
        total: 1_200_000,
      },
    },
  });
});

it("says what a choice should be", () => {
  const read = readSettings("delivery", { ...base, WAYPOST_DNSSEC: "maybe" });
  expect(read).toMatchObject({
    ok: false,
    problems: ['WAYPOST_DNSSEC is "maybe": it should be untrusted or trusted'],
  });
});

it("names every mistake on a line of its own, with the variable and what it should be", () => {
  const read = readSettings("ingest", {
    ...base,
    AMQP_URL: undefined,
    WAYPOST_HTTP_PORT: "http",
    WAYPOST_RETRY_DEADLINE: "49h",
  });
  expect(read.ok ? [] : read.problems).toEqual([
    expect.stringContaining("AMQP_URL is not set"),
    expect.stringMatching(/^WAYPOST_HTTP_PORT is "http": it should be a port/),
    expect.stringMatching(/^WAYPOST_RETRY_DEADLINE is "49h": it should be at most 48h/),
  ]);
});

it.each([
  ["retry-scheduler", "WAYPOST_HTTP_PORT"],
  ["retry-scheduler", "WAYPOST_RETRY_DEADLINE"],
  ["router", "WAYPOST_RETRY_SCHEDULE"],
  ["router", "WAYPOST_RETRY_DEADLINE"],
  ["delivery", "WAYPOST_RETRY_DEADLINE"],
  ["control", "WAYPOST_RETRY_DEADLINE"],
] as const)("checks only what the service uses: %s asks nothing of %s", (service, name) => {
  expect(readSettings(service, { ...base, WAYPOST_ADMIN_TOKEN: "token", [name]: "nonsense" }).ok).toBe(true);
});

it.each(["token\n", " token", "tökén", "to\tken"])("refuses a token that no header carries as it is: %j", (token) => {
  const read = readSettings("control", { ...base, WAYPOST_ADMIN_TOKEN: token });
  expect(read.ok ? [] : read.problems).toEqual([
    "WAYPOST_ADMIN_TOKEN is not valid: it should be printable ASCII without white space (or a line end) around it",
  ]);
});

it.each([
  [
    "WAYPOST_DNS_SERVERS",
    ["192.0.2.53:99999", "192.0.2.53:0", "192.0.2", "0x7f.1", "192.0.2.53:", "[::1", "dns.example:53"],
  ],
  ["WAYPOST_STATIC_HOSTS", ["a=1", "a=10.0.0.1=x", "=10.0.0.1", "a"]],
  ["WAYPOST_ALLOW_NETWORKS", ["10/8", "10.0.0.0", "10.0.0.0/33"]],
])("refuses what is no whole address in %s", (name, wrong) => {
  for (const value of wrong)
    expect([value, readSettings("delivery", { ...base, [name]: value }).ok]).toEqual([value, false]);
});

it("takes whole addresses, with ports and without", () => {
  const addresses = {
    WAYPOST_DNS_SERVERS: "192.0.2.53:53,192.0.2.53,[2001:db8::53]:53,[::1],::1,fe80::1%eth0",
    WAYPOST_STATIC_HOSTS: "relay.example=10.0.0.1,other.example=2001:db8::1",
    WAYPOST_ALLOW_NETWORKS: "10.0.0.0/8,::1/128,::ffff:10.0.0.0/104",
  };
  expect(readSettings("delivery", { ...base, ...addresses })).toMatchObject({ ok: true });
});

it("lets no tracking point wait for its POST until the broker takes it back", () => {
  const read = readSettings("notifier", { ...base, WAYPOST_NOTIFY_LINGER: "1h" });
  expect(read.ok ? [] : read.problems).toEqual([expect.stringContaining("WAYPOST_NOTIFY_LINGER is")]);
});

it("shows no secret in a message", () => {
  const read = readSettings("ingest", { ...base, WAYPOST_SECRET_KEY: "hunter2" });
  expect(read.ok ? "" : read.problems.join()).toContain("WAYPOST_SECRET_KEY is not valid: it should be 32 bytes");
  expect(JSON.stringify(read)).not.toContain("hunter2");
});

it.each([
  ["mongodb://u:pass@word@db/waypost", "with user, password and database percent-encoded"],
  ["mongodb://u:pass@wo:rd@db/waypost", "with user, password and database percent-encoded"],
  ["mongodb://u:pass@db?word=1@db/waypost", "with user, password and database percent-encoded"],
  ["mongodb://u:pass%word@db/waypost", "with user, password and database percent-encoded"],
  ["mongodb://db/%zz", "with user, password and database percent-encoded"],
  ["postgres://db/waypost", "with user, password and database percent-encoded"],
  ["mongodb://db/waypost?retrywrite=true", "that the driver can read (option retrywrite is not supported)"],
  ["mongodb://db:port/waypost", "that the driver can read (Unable to parse db:port with URL)"],
  [
    "mongodb://a,b/waypost?directConnection=true",
    "that the driver can read (directConnection option requires exactly one host)",
  ],
  ["mongodb://db/way.post", "that the driver can read (Database names cannot contain the character '.')"],
])("says of %s what MONGODB_URI should be, and shows nothing of a password", (uri, reason) => {
  const read = readSettings("router", { ...base, MONGODB_URI: uri });
  expect(read).toMatchObject({
    ok: false,
    problems: [`MONGODB_URI is not valid: it should be a mongodb:// URI ${reason}`],
  });
});

it.each([
  "mongodb://a,b:1,[::1]:2?replicaSet=r",
  "mongodb://u:pass,word@db/waypost?authSource=admin",
  "mongodb+srv://u:pass%40word@cluster.example",
])("takes %s as MONGODB_URI", (uri) => {
  expect(readSettings("router", { ...base, MONGODB_URI: uri })).toMatchObject({ settings: { MONGODB_URI: uri } });
});

it("refuses an AMQP_URL whose virtual host cannot be read", () => {
  const read = readSettings("router", { ...base, AMQP_URL: "amqp://u:pass@a/way%zz" });
  expect(read.ok ? [] : read.problems).toEqual([
    expect.stringMatching(/^AMQP_URL is not valid: it should be .*virtual hosts percent-encoded$/),
  ]);
  expect(readSettings("router", { ...base, AMQP_URL: "amqp://a/way%2Fpost" }).ok).toBe(true);
});

it.each(["amqp:rabbit", "amqp:rabbit:5672/waypost", "amqp:///waypost"])(
  "refuses the AMQP_URL %s, which names no host",
  (url) => {
    expect(readSettings("router", { ...base, AMQP_URL: url }).ok).toBe(false);
  },
);

it("refuses waits that the broker has no queue for", () => {
  const read = readSettings("retry-scheduler", { ...base, WAYPOST_RETRY_SCHEDULE: "1m,50d" });
  expect(read.ok ? [] : read.problems).toEqual([expect.stringMatching(/^WAYPOST_RETRY_SCHEDULE .* at most 49d$/)]);
  expect(readSettings("notifier", { ...base, WAYPOST_NOTIFY_SCHEDULE: "5s,49d" }).ok).toBe(true);
});

it("refuses to keep mails beyond the end of dates, where they would be gone at once", () => {
  const read = readSettings("notifier", { ...base, WAYPOST_RETENTION: "99999999d" });
  expect(read.ok ? [] : read.problems).toEqual([expect.stringMatching(/^WAYPOST_RETENTION .* at most 36500d$/)]);
});

it("refuses a drain so long that no timer lasts for it", () => {
  const read = readSettings("router", { ...base, WAYPOST_DRAIN_SECONDS: "2147484" });
  expect(read.ok ? [] : read.problems).toEqual([expect.stringMatching(/^WAYPOST_DRAIN_SECONDS .* from 1 to 86400$/)]);
});

it.each(["0x1F90", "8e3", "8080.0", "+8080", "-1", "65536", "8080 8081"])("takes %s for no port", (text) => {
  const read = readSettings("ingest", { ...base, WAYPOST_HTTP_PORT: text });
  expect(read.ok ? [] : read.problems).toEqual([
    `WAYPOST_HTTP_PORT is ${JSON.stringify(text)}: it should be a port from 1 to 65535`,
  ]);
});

it("takes an empty variable as one that is not set", () => {
  expect(readSettings("ingest", { ...base, WAYPOST_SMTPS_PORT: "" }).ok).toBe(true);
});

it("keeps timeouts under the broker's 30 minutes and names an unknown step", () => {
  const long = readSettings("delivery", { ...base, WAYPOST_SMTP_TIMEOUTS: "total=29m" });
  expect(long.ok ? "" : long.problems[0]).toContain("at most 25m");
  const odd = readSettings("delivery", { ...base, WAYPOST_SMTP_TIMEOUTS: "helo=5s" });
  expect(odd.ok ? "" : odd.problems[0]).toContain("steps: connect, greeting");
});

it("warns of a variable that is none, with the nearest name", () => {
  expect(unknownVariables({ WAYPOST_HTTP_PROT: "1", PATH: "x" })).toEqual([
    "WAYPOST_HTTP_PROT is no setting of Waypost; did you mean WAYPOST_HTTP_PORT?",
  ]);
});
