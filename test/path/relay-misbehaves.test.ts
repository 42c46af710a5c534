// A relay that hangs, drops, answers garbage or without end, at each step: the mail is deferred, told why, and never lost.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import type { HostileServer, HostileStep, Misbehaviour } from "#test/support/hostile-mail-server.ts";
import { HOSTILE_STEPS, startHostileServer } from "#test/support/hostile-mail-server.ts";

const SHORT = "connect=1s,greeting=1s,command=1s,data=1s,dot=1s,total=4s";
const STEPS = HOSTILE_STEPS.filter((step) => step !== "starttls" && step !== "rset" && step !== "quit");
const saying = (...lines: string[]): Misbehaviour => ({ kind: "reply", bytes: `${lines.join("\r\n")}\r\n` });
const PIPELINING = saying("250-hostile.test", "250 PIPELINING");

let system: DeliverySystem;
const servers: HostileServer[] = [];

beforeAll(async () => {
  system = await startDeliverySystem({ env: { WAYPOST_SMTP_TIMEOUTS: SHORT, WAYPOST_RETRY_SCHEDULE: "2s" } });
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await system.stop();
});

/** A relay that misbehaves, of an account of its own, and what becomes of mails to it. */
async function relayThat(behaviour: HostileServer["behaviour"]) {
  const relay = await startHostileServer(behaviour);
  servers.push(relay);
  const account = await system.account();
  await system.relay(account, relay, { maxConnections: 1 });
  const endOf = async (recipient: string) => {
    const [mailId = ""] = await system.hand(account, { recipients: [recipient] });
    const { attempts, trackingPoints } = await system.ended(mailId, 40_000);
    const last = trackingPoints.at(-1);
    return { attempts: attempts.length, subType: last?.meta.event.subType, dsn: last?.content?.smtp?.dsn };
  };
  return { relay, account, endOf };
}

/** Hands one mail to a relay that misbehaves, then lets the relay behave: what was told, and whether it came through. */
async function outcomeAt(step: (typeof STEPS)[number], misbehaviour: Misbehaviour) {
  const { relay, account } = await relayThat({ [step]: misbehaviour });
  const [mailId = ""] = await system.hand(account, { recipients: ["to@recipient.example"] });
  const deferred = await system.seen(mailId, (mail) => mail.attempts.length > 0);
  relay.behaviour = {};
  const ended = await system.ended(mailId, 40_000);
  expect(ended.trackingPoints.at(-1)?.meta.event.type).toBe("DELIVERED");
  return { attempt: deferred.attempts[0], content: deferred.trackingPoints.at(-1)?.content?.smtp };
}

describe.each(STEPS)("at %s", (step) => {
  it.concurrent.each<[string, Misbehaviour, string]>([
    ["hangs", { kind: "hang" }, "4.4.2"],
    ["drops the connection", { kind: "drop" }, "4.4.2"],
    ["resets the connection", { kind: "reset" }, "4.4.2"],
    ["answers garbage", { kind: "garbage" }, "4.5.0"],
    ["answers a byte a second", { kind: "trickle" }, "4.4.2"],
    ["answers 421", { kind: "reply", bytes: "421 4.3.2 closing\r\n" }, "4.3.2"],
  ])(
    "a relay that %s has its mail deferred",
    async (_name, misbehaviour, dsn) => {
      const { attempt, content } = await outcomeAt(step, misbehaviour);
      expect(content?.dsn).toBe(dsn);
      expect(attempt?.outcome).toBe("deferred");
      const losesTheReply = step === "dot" && misbehaviour.kind !== "reply";
      expect(attempt?.uncertain === true).toBe(losesTheReply);
    },
    60_000,
  );
});

describe.concurrent(
  "a relay that is not at the step that we are at has its mail deferred and the connection closed",
  () => {
    const COMMAND = /^(EHLO|MAIL|RCPT|DATA|RSET|QUIT)/;
    it.each<[string, HostileStep, string, boolean]>([
      ["where it answers DATA with 250: no line of the message goes out", "data", "250 2.0.0 go on", false],
      ["where it answers the final dot with 354: it may have the mail", "dot", "354 go on", true],
    ])("%s", async (_name, step, response, isUncertain) => {
      const { relay, account } = await relayThat({ [step]: saying(response) });
      const [mailId = ""] = await system.hand(account, { recipients: ["to@recipient.example"] });
      const { attempts } = await system.seen(mailId, (mail) => mail.attempts.length > 0);
      expect(attempts[0]).toMatchObject({ outcome: "deferred", response });
      expect(attempts[0]?.uncertain === true).toBe(isUncertain);
      expect(relay.commands.filter((command) => !COMMAND.test(command))).toEqual([]);
      expect(relay.openConnections).toBe(0);
    });
  },
);

it("cuts off a relay that answers megabytes", async () => {
  const { content } = await outcomeAt("ehlo", { kind: "flood", megabytes: 8 });
  expect(content?.dsn).toBe("4.5.0");
});

it("does not wait for ever for a relay that never ends its TLS handshake", async () => {
  const { attempt, content } = await outcomeAt("ehlo", saying("250-hostile.test", "250 STARTTLS"));
  expect(content?.dsn).toBe("4.4.2");
  expect(attempt?.outcome).toBe("deferred");
});

it("a relay that answers STARTTLS with 421 is told of by that", async () => {
  const starttls = saying("421 4.7.0 no more today");
  const { relay, account } = await relayThat({ ehlo: saying("250-hostile.test", "250 STARTTLS"), starttls });
  const [mailId = ""] = await system.hand(account, { recipients: ["to@recipient.example"] });
  const { trackingPoints } = await system.seen(mailId, (mail) => mail.attempts.length > 0);
  expect(trackingPoints.at(-1)?.content?.smtp).toMatchObject({ responseCode: "421", dsn: "4.7.0" });
  expect(relay.messages).toHaveLength(0);
});

it.each(["500 5.5.1 what", "502 5.5.1 no", "550 5.7.1 no", "421 4.3.2 closing"])(
  "a relay that answers RSET with %j gets the next mail over another connection, in the same attempt",
  async (reply) => {
    const { relay, endOf } = await relayThat({ rset: saying(reply), rcpt: saying("550 5.1.1 unknown") });
    expect(await endOf("unknown@recipient.example")).toMatchObject({ subType: "HARD_BOUNCE", dsn: "5.1.1" });
    delete relay.behaviour.rcpt;
    expect(await endOf("known@recipient.example")).toEqual({ attempts: 1, subType: "OK", dsn: "2.0.0" });
    expect(relay.commands).toContain("RSET");
    expect(relay.connections).toBe(2);
  },
);

describe("with PIPELINING, a mail that was refused ends by that refusal", () => {
  const badSender = { mail: saying("550 5.1.8 no such sender"), rcpt: saying("503 5.5.1 no sender") };
  it.each<[string, HostileServer["behaviour"], string]>([
    ["of its sender, where DATA is answered with 354", badSender, "5.1.8"],
    ["of its sender, where DATA has no answer", { ...badSender, data: { kind: "hang" } }, "5.1.8"],
    ["of its sender, where DATA is answered with 421", { ...badSender, data: saying("421 4.3.2 closing") }, "5.1.8"],
    ["of its recipient, where the empty message has no answer", { rcpt: saying("550 5.1.1 unknown") }, "5.1.1"],
  ])("%s", async (_name, behaviour, dsn) => {
    const { endOf } = await relayThat({ ehlo: PIPELINING, ...behaviour });
    expect(await endOf("to@recipient.example")).toEqual({ attempts: 1, subType: "HARD_BOUNCE", dsn });
  });
});

it("with PIPELINING too, a connection that is closed with 421 before its next mail is replaced", async () => {
  const { relay, endOf } = await relayThat({ ehlo: PIPELINING });
  expect(await endOf("one@recipient.example")).toMatchObject({ subType: "OK" });
  relay.behaviour = {
    get mail() {
      return relay.connections < 2 ? saying("421 4.4.2 idle for too long") : saying("250 2.1.0 Ok");
    },
  };
  expect(await endOf("two@recipient.example")).toEqual({ attempts: 1, subType: "OK", dsn: "2.0.0" });
});
