// A mail as its tracking points need it, from what the record keeps of it: for services that tell of mails they do not hold.
import type { TrackedMail } from "#shared/contracts/make-event.ts";
import type { MailRecord } from "./mails.ts";

export function trackedMailOfRecord(record: MailRecord): TrackedMail {
  const { mimeFrom, endpoint, traceparent } = record;
  return {
    mailId: record._id,
    email: record.email,
    recipient: record.recipient,
    head: {
      ...record.meta,
      deadline: record.deadline.toISOString(),
      envelopeFrom: record.sender,
      sender: record.sender,
      from: record.from,
      ...(mimeFrom === undefined ? {} : { mimeFrom }),
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(traceparent === undefined ? {} : { traceparent }),
      bulk: false,
    },
  };
}
