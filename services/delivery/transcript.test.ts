import { describe, expect, it } from "vitest";
import type { SmtpStep } from "#shared/contracts/attempt.ts";
import { endOfConversation } from "./conversation-end.ts";
import { NO_CAPABILITIES } from "./capabilities.ts";
import { outcomeOf } from "#shared/life/outcome.ts";
import { Transcript } from "./transcript.ts";

const PEER = { host: "relay.example.net", address: "192.0.2.1", port: 25 };

function opened(): Transcript {
  const transcript = new Transcript(() => undefined);
  transcript.onServer("220 relay.example.net ESMTP");
  transcript.onClient("EHLO us");
  transcript.onServer("250-relay.example.net\n250-PIPELINING\n250-SIZE 1000\n250-8BITMIME\n250 AUTH PLAIN LOGIN");
  return transcript;
}

const broken = (transcript: Transcript, error: object = { code: "ECONNECTION" }, isUpgrading = false) =>
  endOfConversation(Object.assign(new Error("broken"), error), { transcript, peer: PEER, isUpgrading });

describe("a transcript", () => {
  it("knows the greeting, and what the server can do", () => {
    const transcript = opened();
    expect(transcript.greeting).toContain("relay.example.net");
    expect(transcript.capabilities).toEqual({
      size: 1000,
      eightBitMime: true,
      smtpUtf8: false,
      startTls: false,
      auth: ["PLAIN", "LOGIN"],
    });
    expect(transcript.waiting).toBe("idle");
  });

  it("knows the step that is waited for, pipelined or not", () => {
    const transcript = opened();
    transcript.begin();
    for (const command of ["MAIL FROM:<a@b> SIZE=1", "RCPT TO:<c@d>", "DATA"]) transcript.onClient(command);
    expect(transcript.waiting).toBe("mail");
    transcript.onServer("250 ok");
    expect(transcript.waiting).toBe("rcpt");
    transcript.onServer("250 ok");
    transcript.onServer("354 go");
    expect(transcript.waiting).toBe("data");
    transcript.onDataSent();
    expect(transcript.waiting).toBe("dot");
  });

  it("tells of each step once it is answered, not when it is begun", () => {
    const answered: string[] = [];
    const transcript = new Transcript((_, step) => {
      if (step !== undefined) answered.push(step);
    });
    transcript.onServer("220 relay.example.net ESMTP");
    transcript.begin();
    for (const command of ["MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA"]) transcript.onClient(command);
    expect(answered).toEqual(["greeting"]);
    for (const reply of ["250 ok", "250 ok", "354 go"]) transcript.onServer(reply);
    transcript.onDataSent();
    transcript.onServer("250 taken");
    expect(answered).toEqual(["greeting", "mail", "rcpt", "data", "dot"]);
  });

  it("waits for a TLS handshake until it speaks on, and forgets what was said before it", () => {
    const transcript = opened();
    transcript.onClient("STARTTLS");
    transcript.onServer("220 go ahead");
    expect(transcript.waiting).toBe("starttls");
    expect(transcript.capabilities).toEqual(NO_CAPABILITIES);
    transcript.onClient("EHLO us");
    expect(transcript.waiting).toBe("ehlo");
    transcript.onServer("250 relay.example.net");
    expect(transcript.waiting).toBe("idle");
  });
});

describe("a conversation that breaks", () => {
  it("before anything of the mail was sent, broke at MAIL, never at the dot of the mail before", () => {
    const transcript = opened();
    transcript.begin();
    expect(broken(transcript)).toMatchObject({ step: "mail", cause: "dropped" });
  });

  it("in the data, left no doubt; after the dot, it did", () => {
    const transcript = opened();
    transcript.begin();
    for (const command of ["MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA"]) transcript.onClient(command);
    for (const reply of ["250 ok", "250 ok", "354 go"]) transcript.onServer(reply);
    const inData = broken(transcript);
    expect(inData).toMatchObject({ step: "data", cause: "dropped" });
    expect(outcomeOf(inData).uncertain).toBeUndefined();
    transcript.onDataSent();
    expect(outcomeOf(broken(transcript))).toMatchObject({ step: "dot", uncertain: true });
  });

  it("after a refusal that was pipelined, ended by that refusal", () => {
    const transcript = opened();
    transcript.begin();
    for (const command of ["MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA"]) transcript.onClient(command);
    for (const reply of ["250 ok", "550 5.1.1 unknown"]) transcript.onServer(reply);
    expect(broken(transcript)).toMatchObject({ kind: "reply", step: "rcpt", reply: { code: 550 } });
  });

  it("after a refusal, in the empty message that a server which takes DATA all the same is given, ended by that refusal", () => {
    const transcript = opened();
    transcript.begin();
    for (const command of ["MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA"]) transcript.onClient(command);
    for (const reply of ["250 ok", "550 5.1.1 unknown", "354 go"]) transcript.onServer(reply);
    transcript.onClient(".");
    expect(broken(transcript)).toMatchObject({ kind: "reply", step: "rcpt", reply: { code: 550 } });
  });

  it.each<[string, string[], SmtpStep]>([
    ["MAIL", ["199 what", "250 ok", "354 go"], "mail"],
    ["RCPT", ["250 ok", "354 what", "354 go"], "rcpt"],
    ["DATA", ["250 ok", "250 ok", "250 go"], "data"],
  ])("after a reply to %s that is no consent, pipelined, ended by that reply", (_command, replies, step) => {
    const transcript = opened();
    transcript.begin();
    for (const command of ["MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA"]) transcript.onClient(command);
    for (const reply of replies) transcript.onServer(reply);
    expect(broken(transcript)).toMatchObject({ kind: "reply", step });
  });

  it("after a refusal of STARTTLS that it went on without, did not end by that", () => {
    const transcript = opened();
    transcript.onClient("STARTTLS");
    transcript.onServer("454 4.7.0 not now");
    transcript.onClient("AUTH PLAIN");
    expect(broken(transcript)).toMatchObject({ kind: "local", step: "auth", cause: "dropped" });
  });

  it("with a reply, ended by it; with one that is none, in garbage", () => {
    const transcript = opened();
    const rcpt = { code: "EENVELOPE", command: "RCPT TO", response: "450 4.2.1 busy" };
    expect(broken(transcript, rcpt)).toMatchObject({ kind: "reply", step: "rcpt", reply: { code: 450 } });
    const dot = { code: "EMESSAGE", command: "DATA", response: "554 5.6.0 no" };
    expect(broken(transcript, dot)).toMatchObject({ kind: "reply", step: "dot" });
    const garbage = { code: "EPROTOCOL", command: "CONN", response: "what" };
    expect(broken(transcript, garbage)).toMatchObject({ kind: "local", cause: "garbage" });
  });

  it("by a word that nobody had asked for", () => {
    const transcript = opened();
    transcript.onServer("250 surprise");
    expect(broken(transcript, { response: "250 surprise" })).toMatchObject({ cause: "garbage" });
  });

  it("in the TLS handshake, ended in a fault of TLS, or of the certificate", () => {
    expect(broken(opened(), { code: "ESOCKET", originalCode: "ECONNRESET" }, true)).toMatchObject({
      cause: "tls-failed",
    });
    const code = { code: "ESOCKET", originalCode: "DEPTH_ZERO_SELF_SIGNED_CERT" };
    expect(broken(opened(), code, true)).toMatchObject({ cause: "tls-certificate" });
  });

  it("by a reply without end", () => {
    expect(broken(opened(), { code: "EPROTOCOL" })).toMatchObject({ cause: "reply-too-large" });
  });
});
