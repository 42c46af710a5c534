// One sample of each tracking point, for a customer who tries their endpoint (`waypost notify test`).
import type { Clock } from "#shared/clock.ts";
import type { BatchMessage } from "#shared/contracts/batch.ts";
import { mailIdOf } from "#shared/contracts/ids.ts";
import { MESSAGE_VERSION } from "#shared/contracts/mail.ts";
import type { TrackedFact } from "#shared/contracts/make-event.ts";
import { jobMetaOf, makeEvent } from "#shared/contracts/make-event.ts";
import type { TrackingPointName } from "#shared/contracts/tracking-point.ts";
import { TRACKING_POINTS } from "#shared/contracts/tracking-point.ts";
import type { Account } from "#shared/routing/configuration.ts";

const RELAY = "your.target.relay";

const DETAILS: Readonly<Partial<Record<TrackingPointName, Pick<TrackedFact, "description" | "smtp">>>> = {
  PREVIOUSLY_BOUNCED: {
    description:
      'ts="2020-07-28T04:16:06.448Z", reason="[5.2.0] bounced (host mx.example.net[192.0.2.39] said: 550 5.2.0 mailbox unavailable)"',
  },
  DEFERRED: {
    description: "delivery deferred",
    smtp: { responseCode: "451", reason: "deferred (451 4.3.0 Try again later)", relay: RELAY, dsn: "4.3.0" },
  },
  DELIVERED: {
    description: "mail delivered",
    smtp: {
      responseCode: "250",
      reason: "sent (250 2.0.0 Ok: queued as 3yFnZW2mNlzPk9y)",
      relay: RELAY,
      dsn: "2.0.0",
      transportEncryption: {
        requested: true,
        established: true,
        properties: { protocol: "TLS1.2", cipherSuite: "ECDHE-RSA-AES256-GCM-SHA384" },
      },
    },
  },
  HARD_BOUNCE: {
    description: "mail bounced",
    smtp: { responseCode: "550", reason: "bounced (550 5.1.1 User unknown)", relay: RELAY, dsn: "5.1.1" },
  },
  SOFT_BOUNCE: {
    description: "every attempt failed until the deadline",
    smtp: { responseCode: "451", reason: "bounced (451 4.3.0 Try again later)", relay: RELAY, dsn: "4.3.0" },
  },
};

/** Whose samples they are. */
export type SampleAccount = Pick<Account, "_id" | "customerNo" | "tenant">;

/** Where no account is named. */
export const MADE_UP_ACCOUNT: SampleAccount = { _id: "example", customerNo: "00000" };

/** A POST for each tracking point, each of a mail of its own: so it shows which of them an endpoint does not take. */
export function sampleBatches(account: SampleAccount, clock: Clock): BatchMessage[] {
  const jobId = `test-${clock.uuid()}`;
  const now = clock.now();
  const deadline = now.toISOString();
  const head = {
    jobId,
    account: account._id,
    customerNo: account.customerNo,
    ...(account.tenant === undefined ? {} : { tenant: account.tenant }),
    receivedTs: now.toISOString(),
    deadline,
    envelopeFrom: "sender@example.com",
    sender: "sender@example.com",
    from: "FromName <sender@example.com>",
    bulk: false,
  };
  const names = Object.keys(TRACKING_POINTS) as TrackingPointName[];
  return names.map((point, index) => {
    const mail = {
      head,
      mailId: mailIdOf(jobId, index),
      email: "ToName <to@example.com>",
      recipient: "to@example.com",
    };
    const { notification } = makeEvent(mail, { point, attempt: 1, at: now, ...DETAILS[point] }).body;
    return {
      version: MESSAGE_VERSION,
      batchId: `msg_${clock.uuid().replaceAll("-", "")}`,
      push: { meta: jobMetaOf(head), notifications: [notification] },
      attempts: 0,
      deadline,
    };
  });
}
