// DEMO: the account, domain and relay that `npm start` sets up, and the one mail that it relays.
import { setTimeout as sleep } from "node:timers/promises";
import type { Notification } from "#shared/contracts/push-notification.ts";
import { DEMO_HOST } from "./demo-servers.ts";

export const DEMO_ACCOUNT = "demo";
export const DEMO_DOMAIN = "demo.example";

export interface DemoAccess {
  controlUrl: string;
  ingestUrl: string;
  adminToken: string;
  password: string;
  /** Of the broker that was brought up, whose user submits as the demo account; a broker that was there is somebody's. */
  amqpUrl?: string;
}

interface MailView {
  mailId: string;
  traceId?: string;
  trackingPoints: Notification[];
}

const ENDED_MS = 30_000;

function send(access: DemoAccess, path: string, body?: object): Promise<Response> {
  return fetch(`${access.controlUrl}${path}`, {
    method: body === undefined ? "GET" : "PUT",
    headers: { authorization: `Bearer ${access.adminToken}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function call<T>(access: DemoAccess, path: string, body?: object): Promise<T> {
  return read<T>(path, await send(access, path, body));
}

async function read<T>(path: string, response: Response): Promise<T> {
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}

const CONFLICT = 409;

/** Sets up the account, its domain and its relay; doing it again changes nothing. Answers the access that the demo account has. */
export async function setUpDemo(
  access: DemoAccess,
  servers: { smtpPort: number; endpointUrl: string },
): Promise<DemoAccess> {
  const account = `/v1/accounts/${DEMO_ACCOUNT}`;
  const { amqpUrl, ...withoutBroker } = access;
  const settings = {
    customerNo: "10001",
    tenant: "Demo",
    password: access.password,
    notification: { url: servers.endpointUrl },
  };
  const broker = amqpUrl === undefined ? {} : { brokerUser: new URL(amqpUrl).username };
  const answer = await send(access, account, { ...settings, ...broker });
  // The broker's user may be another account's, of an earlier day.
  const isTaken = amqpUrl !== undefined && answer.status === CONFLICT;
  if (isTaken) await call(access, account, settings);
  else await read(account, answer);
  await call(access, `${account}/domains/${DEMO_DOMAIN}`, {});
  const relay = { host: DEMO_HOST, port: servers.smtpPort };
  await call(access, `${account}/domains/${DEMO_DOMAIN}/relay`, relay);
  return isTaken ? withoutBroker : access;
}

export function demoJob(): object {
  return {
    subject: { content: "Hello from Waypost" },
    body: { contentType: "text/plain", content: "This mail took the relay of demo.example." },
    recipients: [{ mail: { to: [{ email: "Ada <ada@recipient.example>" }] } }],
    mail: { from: { email: `Demo <sender@${DEMO_DOMAIN}>` } },
  };
}

async function submit(access: DemoAccess): Promise<string> {
  const basic = Buffer.from(`${DEMO_ACCOUNT}:${access.password}`).toString("base64");
  const response = await fetch(`${access.ingestUrl}/v1/jobs`, {
    method: "POST",
    headers: { authorization: `Basic ${basic}`, "content-type": "application/json" },
    body: JSON.stringify(demoJob()),
  });
  const text = await response.text();
  if (response.status !== 202) throw new Error(`the demo job was refused: ${response.status} ${text}`);
  return (JSON.parse(text) as { jobId: string }).jobId;
}

function isEnded(mail: MailView): boolean {
  return mail.trackingPoints.some((point) => point.meta.event.state === "FINISHED");
}

async function endedMail(access: DemoAccess, jobId: string): Promise<MailView> {
  const end = Date.now() + ENDED_MS;
  let problem: unknown;
  while (Date.now() < end) {
    try {
      const job = await call<{ mails: { mailId: string }[] }>(access, `/v1/jobs/${jobId}`);
      const mailId = job.mails[0]?.mailId;
      const mail = mailId === undefined ? undefined : await call<MailView>(access, `/v1/mails/${mailId}`);
      if (mail !== undefined && isEnded(mail)) return mail;
      problem = mail === undefined ? undefined : new Error(timelineOf(mail).join("\n"));
    } catch (error) {
      problem = error;
    }
    await sleep(100);
  }
  throw new Error(`the demo mail did not end within ${ENDED_MS / 1_000} s`, { cause: problem });
}

/** One line a tracking point, with the time since the first. */
function timelineOf(mail: MailView): string[] {
  const first = Date.parse(mail.trackingPoints[0]?.meta.event.ts ?? "");
  return mail.trackingPoints.map(({ meta, content }) => {
    const { type, subType, ts, description } = meta.event;
    const relay = content?.smtp?.relay === undefined ? "" : `  relay ${content.smtp.relay}`;
    const since = `+${Date.parse(ts) - first} ms`.padStart(9);
    return `  ${since}  ${type.padEnd(10)} ${subType.padEnd(20)} ${description ?? ""}${relay}`.trimEnd();
  });
}

export interface DemoOutcome {
  jobId: string;
  mailId: string;
  traceId: string | undefined;
  timeline: readonly string[];
}

/** Relays one mail and tells what became of it. */
export async function relayDemoMail(access: DemoAccess): Promise<DemoOutcome> {
  const jobId = await submit(access);
  const mail = await endedMail(access, jobId);
  return { jobId, mailId: mail.mailId, traceId: mail.traceId, timeline: timelineOf(mail) };
}
