import { isAscii } from "node:buffer";
import { simpleParser } from "mailparser";
import { describe, expect, it } from "vitest";
import { NO_CAPABILITIES } from "./capabilities.ts";
import { fitMessage } from "./fit-message.ts";
import type { MessagePieces } from "./message-pieces.ts";
import { bytesOf } from "./message-pieces.ts";

const ALL = { ...NO_CAPABILITIES, eightBitMime: true, smtpUtf8: true };
const PLAIN = "Subject: x\r\nMIME-Version: 1.0\r\n";
const EIGHT_BIT = `${PLAIN}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n`;

const mailOf = (message: string | Buffer, addresses = {}) => ({
  from: "a@example.com",
  to: "b@example.net",
  message: [Buffer.isBuffer(message) ? message : Buffer.from(message)],
  sign: async (pieces: MessagePieces) => pieces,
  ...addresses,
});

async function sent(message: string | Buffer, capabilities = NO_CAPABILITIES, addresses = {}) {
  const fitted = await fitMessage(mailOf(message, addresses), capabilities);
  if (!fitted.ok) throw new Error(fitted.detail);
  return { ...fitted.transaction, message: Buffer.concat(fitted.transaction.message) };
}

describe("a mail that the server can take", () => {
  it("goes as it is, in ASCII without any option", async () => {
    const message = `${PLAIN}\r\nhello\r\n`;
    const transaction = await sent(message);
    expect(transaction).toMatchObject({ use8BitMime: false, useSmtpUtf8: false });
    expect(transaction.message.toString()).toBe(message);
  });

  it("goes as it is with 8BITMIME", async () => {
    expect(await sent(EIGHT_BIT, ALL)).toMatchObject({ use8BitMime: true, useSmtpUtf8: false });
  });

  it("has its internationalised domains as A-labels", async () => {
    const { to } = await sent(`${PLAIN}\r\nx`, NO_CAPABILITIES, { to: "b@bücher.example" });
    expect(to).toBe("b@xn--bcher-kva.example");
  });

  it("asks for SMTPUTF8 where an address or a header needs it", async () => {
    expect(await sent(`${PLAIN}\r\nx`, ALL, { to: "jürgen@example.net" })).toMatchObject({ useSmtpUtf8: true });
    expect(await sent("Subject: Grüße\r\n\r\nx", ALL)).toMatchObject({ useSmtpUtf8: true });
  });
});

describe("a mail that the server cannot take as it is", () => {
  it("has its text in quoted-printable", async () => {
    const { message, use8BitMime } = await sent(EIGHT_BIT);
    expect(use8BitMime).toBe(false);
    expect(isAscii(message)).toBe(true);
    expect((await simpleParser(message)).text).toBe("Grüße\n");
  });

  it("has each leaf of its tree encoded, and only those that need it", async () => {
    const tree = [
      `${PLAIN}Content-Type: multipart/mixed;\r\n boundary="a b"\r\nContent-Transfer-Encoding: 8bit\r\n`,
      "--a b",
      "Content-Type: multipart/alternative; boundary=inner\r\n\r\n--inner\r\n\r\nplain\r\n--inner\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<p>ü</p>\r\n--inner--",
      "--a b",
      "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n",
      EIGHT_BIT,
      "--a b--\r\n",
    ].join("\r\n");
    const binary = Buffer.concat([
      Buffer.from(tree.replace("--a b--\r\n", "--a b\r\nContent-Type: application/octet-stream\r\n\r\n")),
      Buffer.from([0xff, 0xfe, 0x80]),
      Buffer.from("\r\n--a b--\r\n"),
    ]);
    const { message } = await sent(binary);
    expect(isAscii(message)).toBe(true);
    const parsed = await simpleParser(message);
    expect(parsed.html).toContain("<p>ü</p>");
    expect(parsed.attachments.at(-1)?.content).toEqual(Buffer.from([0xff, 0xfe, 0x80]));
  });

  it("is encoded even where it was no MIME", async () => {
    const { message } = await sent(Buffer.from("Subject: x\r\n\r\nGr\xfc\xdfe\r\n", "latin1"));
    expect(message.toString()).toContain("MIME-Version: 1.0");
    expect(message.toString()).toContain("Gr=FC=DFe");
  });

  it("is not encoded twice where a part is encoded already and has bytes outside ASCII even so", async () => {
    const part = (type: string, encoding: string, body: string): string =>
      `--x\r\nContent-Type: ${type}\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${body}\r\n`;
    const text = part("text/plain; charset=utf-8", "Quoted-Printable", "Gr=C3=BC=C3=9Fe und =\r\nKüsse");
    const attached = part("application/pdf", "base64", `${Buffer.from("%PDF").toString("base64")}\r\nü`);
    const tree = `${PLAIN}Content-Type: multipart/mixed; boundary=x\r\n\r\n${text}${attached}--x--\r\n`;
    const { message } = await sent(tree);
    expect(isAscii(message)).toBe(true);
    const parsed = await simpleParser(message);
    expect(parsed.text?.trim()).toBe("Grüße und Küsse");
    expect(parsed.attachments[0]?.content.toString()).toBe("%PDF");
  });

  it("is signed as it goes out, and its signature counts towards its size", async () => {
    const sign = async (pieces: MessagePieces) => [Buffer.from(`Signs: ${bytesOf(pieces)}\r\n`), ...pieces];
    const { message } = await sent(EIGHT_BIT);
    const signed = await sent(EIGHT_BIT, NO_CAPABILITIES, { sign });
    expect(signed.message.toString()).toBe(`Signs: ${message.length}\r\n${message.toString()}`);
    const small = { ...NO_CAPABILITIES, size: message.length };
    expect(await fitMessage(mailOf(EIGHT_BIT, { sign }), small)).toMatchObject({ cause: "too-large" });
  });

  describe("and whose parts are many", () => {
    const HEAD = `${PLAIN}Content-Type: multipart/mixed; boundary=x\r\n\r\n`;
    const listOf = (parts: number): string => `${HEAD}${"--x\r\n\r\n\r\n".repeat(parts - 1)}--x\r\n\r\nü\r\n--x--\r\n`;

    it("is encoded up to 1,000 parts, and not sent with one more", async () => {
      expect(isAscii((await sent(listOf(1_000))).message)).toBe(true);
      expect(await fitMessage(mailOf(listOf(1_001)), NO_CAPABILITIES)).toMatchObject({
        ok: false,
        cause: "needs-8bit",
      });
    });

    it("is not sent where they add up to more over the tree", async () => {
      const inner = listOf(600).replace(PLAIN, "").replaceAll("--x", "--y").replace("boundary=x", "boundary=y");
      const tree = `${HEAD}--x\r\n${inner}--x\r\n${inner}--x--\r\n`;
      expect(await fitMessage(mailOf(tree), NO_CAPABILITIES)).toMatchObject({ ok: false, cause: "needs-8bit" });
    });

    it("is not sent where they are millions", async () => {
      const message = Buffer.from(`${HEAD}ü\r\n${"--x\r\n".repeat(4_000_000)}`);
      expect(await fitMessage(mailOf(message), NO_CAPABILITIES)).toMatchObject({ ok: false, cause: "needs-8bit" });
    });
  });

  it("is encoded in base64 where its text is long: quoted-printable would take ten times the memory", async () => {
    const text = "ü".repeat(300_000);
    const message = Buffer.from(EIGHT_BIT.replace("Grüße", text));
    const fitted = (await sent(message)).message;
    expect(fitted.length).toBeLessThan(900_000);
    expect(fitted.toString("latin1", 0, 200)).toContain("Content-Transfer-Encoding: base64");
    expect((await simpleParser(fitted)).text).toBe(`${text}\n`);
  });

  it("is not sent where a part's header is larger than a message's may be", async () => {
    const folded = `${PLAIN}Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain${";\r\n a".repeat(3_000_000)}\r\n\r\nü\r\n--x--\r\n`;
    expect(await fitMessage(mailOf(folded), NO_CAPABILITIES)).toMatchObject({ ok: false, cause: "needs-8bit" });
  });

  it("is not sent when signed, too large, or in need of SMTPUTF8", async () => {
    const signed = `${PLAIN}Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n\r\nü\r\n--x--\r\n`;
    expect(await fitMessage(mailOf(signed), NO_CAPABILITIES)).toMatchObject({ ok: false, cause: "needs-8bit" });
    expect(await fitMessage(mailOf(`${PLAIN}\r\nx`), { ...ALL, size: 10 })).toMatchObject({ cause: "too-large" });
    const local = mailOf(`${PLAIN}\r\nx`, { from: "jürgen@example.com" });
    expect(await fitMessage(local, NO_CAPABILITIES)).toMatchObject({ cause: "needs-smtputf8" });
    expect(await fitMessage(mailOf("Subject: ü\r\n\r\nx"), NO_CAPABILITIES)).toMatchObject({ cause: "needs-smtputf8" });
  });
});
