// The queue id that each kind of server gives in its 250 is in the record, finds the mail, and is in the trace of its attempt.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import { eventually } from "#test/support/eventually.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { OtlpReceiver } from "#test/support/otlp-receiver.ts";
import { startOtlpReceiver } from "#test/support/otlp-receiver.ts";
import type { TestAccount } from "#test/support/system-client.ts";

let collector: OtlpReceiver;
let system: DeliverySystem;
let relay: MailServer;
let account: TestAccount;

beforeAll(async () => {
  collector = await startOtlpReceiver();
  system = await startDeliverySystem({
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
      OTEL_BSP_SCHEDULE_DELAY: "100",
      OTEL_TRACES_SAMPLER: "always_on",
    },
  });
  relay = await startMailServer();
  account = await system.account();
  await system.relay(account, relay);
});
afterAll(async () => {
  await system.stop();
  await Promise.all([relay.close(), collector.close()]);
});

it.each([
  ["Postfix", "2.0.0 Ok: queued as 4XyZabc1Dz2Q", "4XyZabc1Dz2Q"],
  ["Exim", "OK id=1tF9Zq-00000002Xyz-1abc", "1tF9Zq-00000002Xyz-1abc"],
  [
    "Exchange",
    "2.6.0 <a@b.example> [InternalId=63281467064320, Hostname=AM0PR.eurprd.example] 9214 bytes in 0.1, 60 KB/sec Queued mail for delivery",
    "63281467064320",
  ],
  ["Sendmail", "2.0.0 4AOKIxYz012345 Message accepted for delivery", "4AOKIxYz012345"],
  [
    "Gmail",
    "2.0.0 OK 1732480000 d2e1a72fcca58-724de5a1b2csi123456b3a.12 - gsmtp",
    "d2e1a72fcca58-724de5a1b2csi123456b3a.12",
  ],
  [
    "SES",
    "Ok 0100018c1b2d3e4f-a1b2c3d4-1234-5678-9abc-def012345678-000000",
    "0100018c1b2d3e4f-a1b2c3d4-1234-5678-9abc-def012345678-000000",
  ],
])("of %s", async (_server, text, queueId) => {
  relay.script = { dot: () => ({ code: 250, text }) };
  const [mailId = ""] = await system.hand(account, { recipients: ["to@recipient.example"] });
  const mail = await system.ended(mailId);
  expect(mail.attempts).toMatchObject([{ outcome: "accepted", remoteQueueId: queueId }]);
  const found = await system.control.get<{ items: { mailId: string }[] }>(`/v1/mails?queueId=${queueId}`);
  expect(found.body.items.map((item) => item.mailId)).toEqual([mailId]);
  const span = await eventually(() =>
    collector.spans.find(({ attributes }) => attributes["waypost.smtp.remote_queue_id"] === queueId),
  );
  expect(span).toMatchObject({ service: "waypost-delivery", name: "send smtp" });
  expect(span.attributes["waypost.mail.id"]).toBe(mailId);
});
