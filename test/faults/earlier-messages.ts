// Messages as the first version wrote them, found in the mailboxes after an upgrade: no field in them that came later.
import { connectBroker } from "#shared/broker/broker.ts";
import type { Outgoing } from "#shared/broker/actor.ts";
import { EXCHANGES, ROUTING_KEYS } from "#shared/broker/topology.ts";
import { systemClock } from "#shared/clock.ts";
import { mailIdOf } from "#shared/contracts/ids.ts";
import { createLog } from "#shared/log.ts";
import { relayLaneName } from "#shared/routing/lane.ts";
import { mailsOf } from "#shared/store/mails.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import { eventually } from "#test/support/eventually.ts";
import type { Ground } from "./ground.ts";
import { RECIPIENT_DOMAIN } from "./ground.ts";
import type { Fault } from "./scenario.ts";

const HOUR_MS = 3_600_000;
const HANDLED_MS = 30_000;
const HEADERS = "Subject: From before\r\nMIME-Version: 1.0\r\n";
const CONTENT = Buffer.from("Content-Type: text/plain\r\n\r\nHello\r\n");

function headOf({ account }: Ground): { jobId: string; [field: string]: unknown } {
  const now = Date.now();
  return {
    jobId: uniqueLabel("before"),
    account: account.name,
    customerNo: "4711",
    receivedTs: new Date(now).toISOString(),
    deadline: new Date(now + HOUR_MS).toISOString(),
    envelopeFrom: account.sender,
    sender: account.sender,
    from: account.sender,
    bulk: false,
  };
}

/** A job, a mail and a deferred mail of version 1 with the fields that it began with; and the mails that they are. */
function messagesOf(ground: Ground): { messages: Outgoing[]; mailIds: string[] } {
  const recipient = (): string => `${uniqueLabel("before")}@${RECIPIENT_DOMAIN}`;
  const content = { kind: "inline", bytes: CONTENT.length };
  const lane = relayLaneName(ground.account.name, ground.account.domain);
  const mail = () => {
    const [head, email] = [headOf(ground), recipient()];
    const mailId = mailIdOf(head.jobId, 0);
    return { version: 1, head, mailId, email, recipient: email, headers: HEADERS, content, attempt: 1, lane };
  };
  const head = headOf(ground);
  const job = { version: 1, head, entries: [{ headers: HEADERS, addresses: [recipient()] }], content };
  const [waiting, failed] = [mail(), mail()];
  const result = { status: "deferred", origin: "remote", enhancedStatus: "4.2.0", text: "451 4.2.0 later" };
  const attempt = { attempt: 1, at: new Date().toISOString(), durationMs: 5, lane, result };
  const carried = { content: CONTENT };
  return {
    messages: [
      { exchange: EXCHANGES.jobs, routingKey: ROUTING_KEYS.interactive, type: "job", body: job, ...carried },
      { exchange: EXCHANGES.mails, routingKey: lane, type: "mail", body: waiting, ...carried },
      {
        exchange: EXCHANGES.attempts,
        routingKey: ROUTING_KEYS.deferred,
        type: "deferred",
        body: { version: 1, mail: failed, attempt },
        ...carried,
      },
    ],
    mailIds: [mailIdOf(head.jobId, 0), waiting.mailId, failed.mailId],
  };
}

export const earlierMessages: Fault = {
  name: "messages as the first version wrote them",
  apply: async (ground) => {
    const log = createLog("test", "silent");
    const broker = connectBroker({ urls: [ground.system.amqpUrl], service: "test", log, clock: systemClock });
    const { messages, mailIds } = messagesOf(ground);
    try {
      await broker.publish(messages);
    } finally {
      await broker.close(0);
    }
    const delivered = { _id: { $in: mailIds }, state: "FINISHED", "points.event.type": "DELIVERED" } as object;
    await eventually(
      async () => (await mailsOf(ground.store).countDocuments(delivered)) === mailIds.length,
      HANDLED_MS,
    );
  },
};
