import { describe, expect, it } from "vitest";
import { eventMessageSchema } from "#shared/contracts/event.ts";
import type { JobMessage } from "#shared/contracts/mail.ts";
import { mailMessageSchema } from "#shared/contracts/mail.ts";
import { parseAddress, parseMailbox } from "#shared/email/address.ts";
import type { Configuration } from "#shared/routing/configuration.ts";
import type { Suppression } from "#shared/store/suppressions.ts";
import { suppressionIdOf } from "#shared/store/suppressions.ts";
import { aConfiguration, aJob, aRelay, RECEIVED_TS } from "#test/support/build-mail.ts";
import { consequencesOf } from "./consequences.ts";
import type { MailFate } from "./split.ts";
import { readRecipients, splitJob, suppressionKeysOf } from "./split.ts";

const now = new Date("2026-03-01T12:00:00.050Z");
const content = Buffer.from("hello");
const DAY_MS = 86_400_000;

const readAddress = (given: string) => {
  const { address } = parseMailbox(given);
  const parsed = parseAddress(address);
  return parsed === undefined ? undefined : { address, localPart: parsed.local };
};

const aBounce = (email: string, changes: Partial<Suppression> = {}): Suppression => ({
  _id: suppressionIdOf("acme", email),
  account: "acme",
  email,
  kind: "bounce",
  listedAt: new Date("2026-02-20T00:00:00.000Z"),
  until: new Date("2026-03-20T00:00:00.000Z"),
  termMs: 45 * DAY_MS,
  bounce: { ts: "2026-02-20T00:00:00.000Z", reason: "[5.1.1] bounced (550 5.1.1 no such user)" },
  ...changes,
});

interface Given {
  job?: JobMessage;
  configuration?: Configuration;
  listed?: readonly Suppression[];
  contentBytes?: number;
}

function whenSplit({
  job = aJob(),
  configuration = aConfiguration(),
  listed = [],
  contentBytes = 5,
}: Given): MailFate[] {
  const recipients = readRecipients(job, { readAddress });
  const suppressions = new Map(listed.map((entry) => [entry._id, entry]));
  const forbiddenLocalParts = new Set(["postmaster", "no-reply"]);
  return splitJob(job, { recipients, suppressions, configuration, forbiddenLocalParts, contentBytes });
}

const pointsOf = (fates: readonly MailFate[]): string[] =>
  fates
    .flatMap((fate) => consequencesOf(fate, { now, mails: fates.length, content }))
    .map(({ type, body }) =>
      type === "event" ? eventMessageSchema.parse(body).notification.meta.event.subType : type,
    );

describe("a job", () => {
  it("becomes one mail for each address of its entries, with an id and a tag of its own", () => {
    const fates = whenSplit({ job: aJob({ addresses: ["a@example.net", "B <b@example.net>", "c@example.org"] }) });
    expect(fates.map((fate) => fate.mail.recipient)).toEqual(["a@example.net", "b@example.net", "c@example.org"]);
    expect(new Set(fates.map((fate) => fate.mail.mailId)).size).toBe(3);
    expect(fates[1]?.mail.email).toBe("B <b@example.net>");
  });

  it("split twice gives the same mails and tags", () => {
    const ids = () =>
      whenSplit({}).flatMap((fate) =>
        consequencesOf(fate, { now, mails: 1, content }).map(({ messageId }) => messageId),
      );
    expect(ids()).toEqual(ids());
  });

  it("is told as STARTED and PROCESSED, then its mail goes to its lane with what is left of its time", () => {
    const [fate] = whenSplit({ configuration: aConfiguration({ relays: [aRelay()] }) });
    if (fate === undefined) throw new Error("one mail");
    const [started, processed, mail] = consequencesOf(fate, { now, mails: 1, content });
    expect(started?.routingKey).toBe("acme.started.processing_started");
    expect(processed?.record).toMatchObject({
      lane: "delivery.relay.acme.example.com",
      relay: "relay.example.com",
      relayDomain: "example.com",
      mails: 1,
    });
    expect(mail).toMatchObject({ exchange: "waypost.mails", routingKey: "delivery.relay.acme.example.com" });
    expect(mail?.expirationMs).toBe(48 * 3_600_000 - 50);
    expect(mail?.content).toBe(content);
    expect(mail?.declareIfUnroutable?.().map(({ name }) => name)).toEqual([
      "delivery.relay.acme.example.com",
      "delivery.relay.acme.example.com.bulk",
    ]);
    expect(mailMessageSchema.parse(mail?.body)).toMatchObject({ attempt: 1, relay: "relay.example.com" });
  });

  it("says the default route with an empty relay", () => {
    const [fate] = whenSplit({});
    const [, processed] = fate === undefined ? [] : consequencesOf(fate, { now, mails: 1, content });
    expect(processed?.record).toMatchObject({ relay: "" });
  });

  it.each([
    [10, false, false],
    [11, false, true],
    [1, true, true],
  ])("of %i addresses, from a flood: %s, takes the bulk mailboxes: %s", (count, flood, bulk) => {
    const addresses = Array.from({ length: count }, (_, index) => `to-${index}@example.net`);
    const [fate] = whenSplit({
      job: aJob({ addresses, head: { bulk: flood } }),
      configuration: aConfiguration({ relays: [aRelay()] }),
    });
    const mail = fate === undefined ? undefined : consequencesOf(fate, { now, mails: count, content })[2];
    expect(mail?.routingKey.endsWith(".bulk")).toBe(bulk);
  });

  it("of 1,000 recipients shares one copy of its content", () => {
    const addresses = Array.from({ length: 1_000 }, (_, index) => `to-${index}@example.net`);
    const fates = whenSplit({ job: aJob({ addresses }) });
    const mails = fates.flatMap((fate) => consequencesOf(fate, { now, mails: 1_000, content })[2] ?? []);
    expect(mails).toHaveLength(1_000);
    expect(new Set(mails.map((mail) => mail.content)).size).toBe(1);
  });

  it("past its deadline goes to its end", () => {
    const [fate] = whenSplit({ job: aJob({ head: { deadline: RECEIVED_TS } }) });
    const last = fate === undefined ? undefined : consequencesOf(fate, { now, mails: 1, content })[2];
    expect(last).toMatchObject({ exchange: "waypost.attempts", routingKey: "expired" });
  });

  it("without all of its content ends as PROCESSING_FAILED", () => {
    expect(pointsOf(whenSplit({ contentBytes: 3 }))).toEqual(["PROCESSING_STARTED", "PROCESSING_FAILED"]);
  });

  it("of an unknown account ends as PROCESSING_FAILED", () => {
    expect(pointsOf(whenSplit({ job: aJob({ head: { account: "nobody" } }) }))).toEqual([
      "PROCESSING_STARTED",
      "PROCESSING_FAILED",
    ]);
  });
});

describe("one bad recipient", () => {
  const good = ["PROCESSING_STARTED", "PROCESSING_FINISHED", "mail"];

  it.each([
    ["INVALID_ADDRESS", "no address"],
    ["INVALID_ADDRESS", "a..b@example.net"],
    ["INVALID_ADDRESS", "A <a@example.net>, B <b@example.net>"],
    ["INVALID_ADDRESS", "a@example.net, B <b@example.net>"],
    ["FORBIDDEN_RECIPIENT", "Postmaster@example.net"],
    ["FORBIDDEN_RECIPIENT", '"no-reply"@example.net'],
    ["PREVIOUSLY_BOUNCED", "Gone <GONE@example.net>"],
    ["PREVIOUSLY_BOUNCED", '"gone"@example.net'],
    ["SUPPRESSED", "stop@example.net"],
  ])("is dropped alone, as %s: %s", (subType, bad) => {
    const listed = [aBounce("gone@example.net"), aBounce("stop@example.net", { kind: "manual" })];
    const fates = whenSplit({ job: aJob({ addresses: ["a@example.net", bad, "c@example.net"] }), listed });
    expect(pointsOf(fates)).toEqual([...good, subType, ...good]);
  });

  it("is told with the bounce that listed it, as the contract's example has it", () => {
    const reason = "[5.2.0] bounced (host mx.example.net[192.0.2.39] said: 550 5.2.0 mailbox unavailable)";
    const [fate] = whenSplit({
      listed: [aBounce("to@example.net", { bounce: { ts: "2020-07-28T04:16:06.448Z", reason } })],
    });
    expect(fate).toMatchObject({ description: `ts="2020-07-28T04:16:06.448Z", reason="${reason}"` });
  });

  it("renews its entry by its term from the acceptance, by hand listed ones are left", () => {
    const [bounced] = whenSplit({ listed: [aBounce("to@example.net")] });
    expect(bounced).toMatchObject({ renewal: { until: new Date(Date.parse(RECEIVED_TS) + 45 * DAY_MS) } });
    const [byHand] = whenSplit({ listed: [aBounce("to@example.net", { kind: "manual" })] });
    expect(byHand).not.toHaveProperty("renewal");
  });
});

describe("the suppression list is asked as of acceptance", () => {
  it.each([
    ["listed after it", { listedAt: new Date(Date.parse(RECEIVED_TS) + 1) }],
    ["ended before it", { until: new Date(Date.parse(RECEIVED_TS) - 1) }],
  ])("an entry %s does not count", (_, changes) => {
    expect(whenSplit({ listed: [aBounce("to@example.net", changes)] })[0]?.kind).toBe("routed");
  });

  it("by account and address, in any spelling of either case", () => {
    const job = aJob({ addresses: ["To <TO@Example.NET>", "nonsense"] });
    expect(suppressionKeysOf(job.head, readRecipients(job, { readAddress }))).toEqual(["acme/to@example.net"]);
  });
});
