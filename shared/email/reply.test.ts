import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyText } from "#test/support/any-text.ts";
import { LONGEST_TEXT, cleanText, parseReply, remoteQueueIdOf } from "./reply.ts";

describe("a reply", () => {
  it("of one line has code, enhanced status and text", () => {
    expect(parseReply("250 2.0.0 Ok: queued as 3yFnZW2mNlzPk9y")).toEqual({
      code: 250,
      enhanced: { class: 2, subject: 0, detail: 0 },
      text: "250 2.0.0 Ok: queued as 3yFnZW2mNlzPk9y",
    });
  });

  it("of several lines is read as one, its repeated codes left out", () => {
    const reply = parseReply("550-5.1.1 The mailbox\n550-5.1.1 is not here\n550 5.1.1 Sorry");
    expect(reply).toMatchObject({ code: 550, text: "550 5.1.1 The mailbox is not here Sorry" });
  });

  it("may be a bare code", () => {
    expect(parseReply("250")).toEqual({ code: 250, enhanced: undefined, text: "250" });
  });

  it.each(["", "hello", "2", "25 x", "2500 x", "\u0000\u0001"])("%j is none", (raw) => {
    expect(parseReply(raw)).toBeUndefined();
  });

  it.each(["250-Ok\n550 5.7.1 no", "550-no\n250 Ok"])("%j, which says two things at once, is none", (raw) => {
    expect(parseReply(raw)).toBeUndefined();
  });

  it("has no control characters and a bound, whatever the server sends", () => {
    fc.assert(
      fc.property(anyText({ maxLength: 2000 }), (text) => {
        const reply = parseReply(`550 ${text}`);
        expect(reply?.text.length ?? 0).toBeLessThanOrEqual(LONGEST_TEXT);
        // oxlint-disable-next-line no-control-regex
        expect(reply?.text ?? "").not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      }),
    );
    expect(cleanText("a\u001b[31mred\r\nInjected: x\u202e")).toBe("a [31mred Injected: x");
  });

  it("takes an enhanced status only where it is one", () => {
    expect(parseReply("250 2.0.0.1 no")?.enhanced).toBeUndefined();
    expect(parseReply("250 1.0.0 no")?.enhanced).toBeUndefined();
  });
});

describe("the remote queue id", () => {
  it.each([
    ["250 2.0.0 Ok: queued as 3yFnZW2mNlzPk9y", "3yFnZW2mNlzPk9y"],
    ["250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 6F1C21A0", "6F1C21A0"],
    ["250 OK id=1tF9Zq-00000002Xyz-1abc", "1tF9Zq-00000002Xyz-1abc"],
    [
      "250 2.6.0 <a@b> [InternalId=63281467064320, Hostname=AM0PR.eurprd.example] 9214 bytes Queued mail for delivery",
      "63281467064320",
    ],
    ["250 2.0.0 4AOKIxYz012345 Message accepted for delivery", "4AOKIxYz012345"],
    [
      "250 2.0.0 OK 1732480000 d2e1a72fcca58-724de5a1b2csi123456b3a.12 - gsmtp",
      "d2e1a72fcca58-724de5a1b2csi123456b3a.12",
    ],
    [
      "250 Ok 0100018c1b2d3e4f-a1b2c3d4-1234-5678-9abc-def012345678-000000",
      "0100018c1b2d3e4f-a1b2c3d4-1234-5678-9abc-def012345678-000000",
    ],
  ])("of %s is %s", (text, id) => {
    expect(remoteQueueIdOf(text)).toBe(id);
  });

  it("is absent where the reply names none", () => {
    expect(remoteQueueIdOf("250 2.0.0 Ok")).toBeUndefined();
  });
});
