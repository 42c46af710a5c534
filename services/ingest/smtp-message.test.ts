import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_MAIL_BYTES } from "#shared/contracts/job-request.ts";
import { collectMessage, readMessage } from "./smtp-message.ts";

const LINE = "Received: from a\r\n\tby b; now\r\n";
const free = [{ above: 1_000, places: { take: async () => () => undefined } }];

function relayed(message: string, prefix = "X-Waypost"): string {
  const result = readMessage([Buffer.from(message, "latin1")], [prefix]);
  return result.ok ? result.message.below(LINE).toString("latin1") : `refused: ${result.refusal.text}`;
}

describe("a message is relayed as it came", () => {
  it("below one Received line, without its control headers", () => {
    const message =
      "Subject: one\r\nX-Waypost-REFERENCE: r\r\n\tfolded\r\nTo:  x@y\r\nx-waypost-campaign-id:c\r\n\r\nX-Waypost-REFERENCE: body\r\n";
    expect(relayed(message)).toBe(`${LINE}Subject: one\r\nTo:  x@y\r\n\r\nX-Waypost-REFERENCE: body\r\n`);
  });

  it.each(["", "\r\n", "body only\r\n", "\r\nX-Waypost-REFERENCE: body\r\n", "A: 1\r\n", "A: 1\r\n\r\n"])(
    "%j",
    (message) => {
      expect(relayed(message)).toBe(LINE + message);
    },
  );

  it("whatever bytes it has and however they are cut", () => {
    const line = fc.oneof(
      fc.constantFrom("Subject: x", "X-Waypost-REFERENCE: 1", " folded", "", "no field", "\xff\x00\x80", "From a@b"),
      fc.string({ unit: "binary-ascii" }).map((text) => text.replace(/[\r\n]/g, "")),
    );
    fc.assert(
      fc.property(fc.array(line), fc.nat(30), (lines, cut) => {
        const whole = Buffer.from(lines.map((text) => `${text}\r\n`).join(""), "latin1");
        const result = readMessage([whole.subarray(0, cut), whole.subarray(cut)], ["X-None"]);
        expect(result.ok && result.message.below("").equals(whole)).toBe(true);
      }),
    );
  });

  it("tells message id and From", () => {
    const result = readMessage([Buffer.from("Message-ID: <1@a>\r\nFrom: A\r\n <a@b.example>\r\n\r\n")], ["X-Waypost"]);
    expect(result).toMatchObject({ ok: true, message: { messageId: "<1@a>", from: ["A <a@b.example>"] } });
  });
});

it.each(["", " ", "\r\n "])("tells no From where the field is empty: %j", (value) => {
  const result = readMessage([Buffer.from(`From:${value}\r\nSubject: s\r\n\r\n`)], ["X-Waypost"]);
  expect(result).toMatchObject({ ok: true, message: { from: [] } });
});

it("refuses a message with 50 Received lines", () => {
  expect(relayed(`${"Received: x\r\n".repeat(49)}\r\n`)).toContain(LINE);
  expect(readMessage([Buffer.from(`${"received: x\r\n".repeat(50)}\r\n`)], ["X-Waypost"])).toMatchObject({
    ok: false,
    refusal: { code: 554, enhanced: "5.4.6" },
  });
});

it("names the control header that it refuses", () => {
  expect(readMessage([Buffer.from("X-WAYPOST-reference:\r\n\r\n")], ["X-Waypost"])).toMatchObject({
    ok: false,
    refusal: { code: 554, text: "X-Waypost-REFERENCE: its value is empty" },
  });
});

describe("collecting", () => {
  const chunk = Buffer.alloc(1_048_576, "a");

  it("takes a message of exactly the limit and refuses one byte more", async () => {
    const whole = Array.from({ length: 20 }, () => chunk);
    expect(await collectMessage(Readable.from(whole), free)).toMatchObject({ ok: true, bytes: MAX_MAIL_BYTES });
    expect(await collectMessage(Readable.from([...whole, Buffer.from("a")]), free)).toMatchObject({
      ok: false,
      refusal: { code: 552, enhanced: "5.3.4" },
    });
  });

  it("keeps a message of tiny chunks in few, as smtp-server sends dot-stuffed lines", async () => {
    const lines = Array.from({ length: 30_000 }, () => Buffer.from(".\r\n"));
    const collected = await collectMessage(Readable.from(lines), free);
    expect(collected).toMatchObject({ ok: true, bytes: 90_000 });
    expect(collected.ok ? collected.chunks.length : 0).toBeLessThan(20);
  });

  it("refuses a bare LF wherever it is", async () => {
    expect(await collectMessage(Readable.from([Buffer.from("a\n.\r\n")]), free)).toMatchObject({
      ok: false,
      refusal: { code: 550 },
    });
  });

  it("gives back every place that it took, whatever becomes of the message", async () => {
    let held = 0;
    const places = { take: async () => ((held += 1), () => void (held -= 1)) };
    const tiers = [1_000, 2_000].map((above) => ({ above, places }));
    const collected = await collectMessage(Readable.from([chunk]), tiers.slice(0, 1));
    expect(held).toBe(1);
    if (collected.ok) collected.release();
    await collectMessage(Readable.from([chunk, Buffer.from("\n")]), tiers);
    const gone = Readable.from([chunk, chunk]).on("data", () => gone.destroy(new Error("gone")));
    await collectMessage(gone, tiers).catch(() => undefined);
    expect(held).toBe(0);
  });

  it("asks for a place for a large message, and says so where there is none", async () => {
    const none = [{ above: 1_000, places: { take: async () => undefined } }];
    expect(await collectMessage(Readable.from([Buffer.from("small\r\n")]), none)).toMatchObject({ ok: true });
    expect(await collectMessage(Readable.from([chunk]), none)).toMatchObject({ ok: false, refusal: { code: 452 } });
  });
});
