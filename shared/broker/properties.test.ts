import { describe, expect, it } from "vitest";
import { eventRecordSchema } from "#shared/contracts/event.ts";
import { eventToPublish, trackedMailOf } from "#shared/contracts/outgoing.ts";
import { aMail } from "#test/support/build-mail.ts";
import { packOf } from "./pack.ts";
import type { Publishable } from "./publish-job.ts";
import { publishOptionsOf } from "./properties.ts";

const LONG = "ä".repeat(16_384);
const tracked = trackedMailOf(aMail());

function published(mail: typeof tracked): Publishable {
  const message = eventToPublish(mail, { point: "STARTED", attempt: 0, at: new Date(0) });
  const record = JSON.stringify(message.record);
  return { message, body: Buffer.from("{}"), contentType: "", record, traceparent: undefined, suspect: false };
}

describe("a tracking point whose record is long", () => {
  it.each([
    ["a job's endpoint", { head: { ...tracked.head, endpoint: LONG } }],
    ["a reference", { reference: LONG }],
  ])("for %s is published without that, and in a pack with all of it", (_, changes) => {
    const publishable = published({ ...tracked, ...changes });
    const header = String(publishOptionsOf(publishable).headers?.["waypost-record"]);
    expect(header.length).toBeLessThan(1_000);
    expect(eventRecordSchema.parse(JSON.parse(header)).recipient).toBe(tracked.recipient);
    expect(JSON.stringify(packOf({ exchange: "", routingKey: "" }, [publishable]).body)).toContain(LONG);
  });

  it("for a recipient that is no address is published without any, and in a pack with all of it", () => {
    const publishable = published({ ...tracked, recipient: LONG });
    expect(publishOptionsOf(publishable).headers).toEqual({});
    expect(JSON.stringify(packOf({ exchange: "", routingKey: "" }, [publishable]).body)).toContain(LONG);
  });
});
