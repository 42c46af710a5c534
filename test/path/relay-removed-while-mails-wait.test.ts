// Removing or disabling a relay while mails wait for it: 409 with their number, unless the operator says what becomes of them.
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { nameOf, uniqueLabel } from "#test/support/addresses.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { TestAccount } from "#test/support/system-client.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";

let system: System;
let relay: MailServer;
let mx: MailServer;
let account: TestAccount;
let path: string;
const recipient = `box@${uniqueLabel("rcpt")}.example`;

beforeAll(async () => {
  relay = await startMailServer();
  system = await startSystem();
  mx = await startMailServer({ port: system.mxPort });
  system.dns.set(recipient.split("@")[1] ?? "", { mx: [{ preference: 10, exchange: nameOf(mx.address) }] });
});
afterAll(async () => {
  await system.stop();
  await relay.close();
  await mx.close();
});

beforeEach(async () => {
  account = await system.account();
  path = `/v1/accounts/${account.name}/domains/${account.domain}/relay`;
  relay.script = { dot: () => ({ code: 451, text: "4.3.0 later" }) };
  await system.relay(account, { host: nameOf(relay.address), port: relay.port });
});

/** A mail of the account that the relay has put off. */
async function waitingMail(): Promise<string> {
  const jobId = await system.accept(account, jobOf(account, [recipient]));
  const [mail] = await system.mailsOf(jobId);
  await eventually(() => relay.mails.some(({ from }) => from === account.sender));
  return mail?.mailId ?? "";
}

const lastPoint = async (mailId: string) => (await system.ended(mailId, 30_000)).trackingPoints.at(-1)?.meta.event;

it("is refused with their number, and they are relayed after all", async () => {
  const mailId = await waitingMail();
  const refused = await system.control.delete<{ waiting: number; detail: string }>(path);
  expect(refused).toMatchObject({
    status: 409,
    body: { waiting: 1, detail: expect.stringContaining("?waiting=") as string },
  });
  const body = { host: nameOf(relay.address), port: relay.port, enabled: false };
  expect(await system.control.put(path, body)).toMatchObject({ status: 409, body: { waiting: 1 } });
  relay.script = {};
  expect(await lastPoint(mailId)).toMatchObject({ type: "DELIVERED" });
  expect((await system.control.delete(path)).status).toBe(200);
});

it("sends them by the default route on ?waiting=reroute", async () => {
  const mailId = await waitingMail();
  expect((await system.control.delete(`${path}?waiting=reroute`)).status).toBe(200);
  expect(await lastPoint(mailId)).toMatchObject({ type: "DELIVERED" });
  expect(mx.accepted.filter(({ from }) => from === account.sender)).toHaveLength(1);
});

it("ends them on ?waiting=bounce, also when the relay is only disabled", async () => {
  const mailId = await waitingMail();
  const body = { host: nameOf(relay.address), port: relay.port, enabled: false };
  const disabled = await system.control.put(`${path}?waiting=bounce`, body);
  expect(disabled).toMatchObject({ status: 200, body: { enabled: false } });
  expect(await lastPoint(mailId)).toMatchObject({ type: "BOUNCED" });
  expect(mx.accepted.filter(({ from }) => from === account.sender)).toHaveLength(0);
});

it("shows in the lane what waits and that it is held", async () => {
  await system.control.post(`${path}/suspend`);
  const jobId = await system.accept(account, jobOf(account, [recipient]));
  await system.mailsOf(jobId);
  const shown = await eventually(async () => {
    const { body } = await system.control.get<{ lane: { depth: number; state: string } }>(path);
    return body.lane.depth === 1 && body.lane;
  });
  expect(shown).toMatchObject({ depth: 1, inFlight: 0, state: "held" });
  relay.script = {};
  await system.control.post(`${path}/resume`);
  await eventually(() => relay.accepted.some(({ from }) => from === account.sender));
});
