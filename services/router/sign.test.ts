import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { createLog } from "#shared/log.ts";
import { laneOf } from "#shared/routing/lane.ts";
import { aConfiguration, aDomain, aJob, aMail } from "#test/support/build-mail.ts";
import type { SendingRoute } from "./decide-route.ts";
import type { SigningPorts } from "./sign.ts";
import { createJobSigner } from "./sign.ts";
import type { MailFate } from "./split.ts";

it("a mail that cannot be signed keeps its reference and size in the record", async () => {
  const ports = { clock: systemClock, log: createLog("test", "silent"), countUnsigned: () => undefined };
  const signer = createJobSigner(ports as unknown as SigningPorts);
  const configuration = aConfiguration({ domains: [aDomain({ messageSigning: true })] });
  const route: SendingRoute = { kind: "mx", domain: "example.net", because: [] };
  const routed: MailFate = { kind: "routed", mail: aMail({ reference: "order 7" }), lane: laneOf(route), route };
  const fates = await signer.sign([routed], { message: aJob(), content: Buffer.alloc(5) }, configuration);
  expect(fates).toMatchObject([{ kind: "failed", mail: { reference: "order 7", size: 21 } }]);
});
