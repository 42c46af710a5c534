// 250 only after the broker's confirm: while it cannot give one, 451, and no job is lost or made twice by it.
import { afterAll, beforeAll, expect, it } from "vitest";
import { uniqueLabel } from "#test/support/addresses.ts";
import { testBacking } from "#test/support/backing.ts";
import { eventually } from "#test/support/eventually.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import { jobIdIn, openSession } from "#test/support/smtp-dialog.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";
import type { TcpProxy } from "#test/support/tcp-proxy.ts";
import { startTcpProxy } from "#test/support/tcp-proxy.ts";

let proxy: TcpProxy;
let system: System;
let relay: MailServer;

beforeAll(async () => {
  const backing = testBacking();
  const url = new URL(backing.amqpUrl.split(",")[0] ?? "");
  proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
  url.host = `127.0.0.1:${proxy.port}`;
  relay = await startMailServer();
  system = await startSystem({
    services: ["ingest", "router", "delivery", "control"],
    backing: { ...backing, amqpUrl: url.toString() },
  });
});
afterAll(async () => {
  proxy.flow();
  await system.stop();
  await Promise.all([proxy.close(), relay.close()]);
});

it("answers 451 while the broker does not confirm, and 250 again when it does", async () => {
  const account = await system.account();
  await system.relay(account, relay);
  const recipient = `${uniqueLabel("to")}@recipient.example`;
  const dialog = await eventually(() => openSession(system.smtpPort, account));
  const send = (): ReturnType<typeof dialog.send> =>
    dialog.send({ from: account.sender, to: [recipient] }, "Subject: a\r\n\r\n");
  jobIdIn(await send());
  proxy.stall();
  expect(await send()).toMatchObject({ code: 451, enhanced: "4.3.0" });
  proxy.flow();
  const reply = await eventually(async () => {
    const answer = await send();
    return answer.code === 250 ? answer : undefined;
  }, 30_000);
  dialog.close();
  expect(reply.text).toContain("queued as");
  await eventually(() => relay.recipients.filter((to) => to === recipient).length >= 2);
}, 90_000);
