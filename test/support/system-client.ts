// What a test does with a system, whoever started it: configure accounts, submit jobs, look at what became of them.
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceName } from "#shared/broker/topology.ts";
import type { Notification } from "#shared/contracts/push-notification.ts";
import { uniqueLabel } from "./addresses.ts";
import type { ApiAnswer, ControlClient, Json } from "./control-client.ts";
import { answerOf, createControlClient } from "./control-client.ts";
import { eventually } from "./eventually.ts";
import type { ServiceDefinition } from "./service-process.ts";

/** Everything of a system that another process needs in order to use it. */
export interface SystemPlan {
  id: string;
  amqpUrl: string;
  managementUrl: string;
  mongodbUri: string;
  /** Logs, and the mark of its processes. */
  directory: string;
  adminToken: string;
  dnsServer: string;
  mxPort: number;
  env: Record<string, string>;
  replicas: ServiceDefinition[];
}

export interface TestAccount {
  name: string;
  password: string;
  domain: string;
  /** An address of the domain. */
  sender: string;
}

export interface RelayTarget {
  host: string;
  port: number;
}

export interface SystemClient {
  readonly plan: SystemPlan;
  readonly control: ControlClient;
  readonly httpUrl: string;
  readonly controlUrl: string;
  readonly smtpPort: number;
  readonly mxPort: number;
  readonly amqpUrl: string;
  readonly managementUrl: string;
  readonly mongodbUri: string;
  /** An account of a test's own with one domain; `settings` go into the PUT of the account. */
  account(settings?: object): Promise<TestAccount>;
  /** Configures the relay of the account's domain. */
  relay(account: TestAccount, target: RelayTarget, settings?: object): Promise<void>;
  /** POST /v1/jobs. */
  submit(account: TestAccount, job: unknown, headers?: Record<string, string>): Promise<ApiAnswer>;
  /** Submits and expects 202: the job's id. */
  accept(account: TestAccount, job: unknown, headers?: Record<string, string>): Promise<string>;
  /** The mails of a job as the record has them, once there are as many. */
  mailsOf(jobId: string, count?: number): Promise<readonly RecordedMail[]>;
  /** A mail's record once it has a FINISHED tracking point. */
  ended(mailId: string, deadlineMs?: number): Promise<MailRecord>;
  healthPort(service: ServiceName, replica?: number): number;
  metrics(service: ServiceName, replica?: number): Promise<string>;
  /** Log lines of a service, parsed. */
  logs(service: ServiceName, replica?: number): readonly Record<string, unknown>[];
}

export interface RecordedMail {
  mailId: string;
  email: string;
  state: string;
}

export interface MailRecord {
  mailId: string;
  jobId: string;
  state: string;
  route?: unknown;
  trackingPoints: Notification[];
  attempts: {
    attempt: number;
    at: string;
    outcome: string;
    response?: string;
    uncertain?: boolean;
    remoteQueueId?: string;
  }[];
  notifications: { at: string; url: string; status: unknown }[];
  traceId?: string;
}

const EXPLAINED_MS = 1_500;
const OTHERS_MS = 200;

function expectStatus(answer: ApiAnswer<unknown>, status: number, what: string): void {
  if (answer.status !== status) throw new Error(`${what}: ${answer.status} ${JSON.stringify(answer.body)}`);
}

function replicaOf(plan: SystemPlan, service: ServiceName, replica: number): ServiceDefinition {
  const found = plan.replicas.find((item) => item.service === service && item.replica === replica);
  if (found === undefined) throw new Error(`this system has no ${service} ${replica}`);
  return found;
}

function portOf(plan: SystemPlan, service: ServiceName, variable: string): number {
  const found = plan.replicas.find((item) => item.service === service);
  return Number(found?.env[variable] ?? 0);
}

function parsedLines(text: string): Record<string, unknown>[] {
  return text.split("\n").flatMap((line) => {
    try {
      return line === "" ? [] : [JSON.parse(line) as Record<string, unknown>];
    } catch {
      return [{ event: "not JSON", line }];
    }
  });
}

export function basicOf(account: { name: string; password: string }): string {
  return `Basic ${Buffer.from(`${account.name}:${account.password}`).toString("base64")}`;
}

async function createAccount(control: ControlClient, settings: object): Promise<TestAccount> {
  const name = uniqueLabel("acct");
  const password = randomBytes(12).toString("hex");
  const domain = `${name}.example`;
  const body = { customerNo: "4711", password, ...settings };
  expectStatus(await control.put(`/v1/accounts/${name}`, body), 200, "PUT account");
  expectStatus(await control.put(`/v1/accounts/${name}/domains/${domain}`, {}), 200, "PUT domain");
  return { name, password, domain, sender: `sender@${domain}` };
}

/**
 * A relay that was just configured is on its way to router and delivery; a mail handed in before takes the default route.
 * No service tells which configuration it has: control's own is waited for, and as much again as the others may take.
 */
async function untilRouted(control: ControlClient, account: TestAccount, host: string): Promise<void> {
  const query = new URLSearchParams({ account: account.name, from: account.sender, to: "to@recipient.example" });
  const end = Date.now() + EXPLAINED_MS;
  while (Date.now() < end) {
    const { body } = await control.get(`/v1/explain?${query.toString()}`);
    if (JSON.stringify(body).includes(host)) break;
    await sleep(25);
  }
  await sleep(OTHERS_MS);
}

async function submitJob<T = Json>(
  url: string,
  account: TestAccount,
  request: { job: unknown; headers: Record<string, string> },
): Promise<ApiAnswer<T>> {
  const headers = { "content-type": "application/json", authorization: basicOf(account), ...request.headers };
  const body = typeof request.job === "string" ? request.job : JSON.stringify(request.job);
  return answerOf(await fetch(`${url}/v1/jobs`, { method: "POST", headers, body }));
}

function isEnded(record: MailRecord): boolean {
  return record.trackingPoints.some((point) => point.meta.event.state === "FINISHED");
}

export function createSystemClient(plan: SystemPlan, readLog: (file: string) => string): SystemClient {
  const controlUrl = `http://127.0.0.1:${portOf(plan, "control", "WAYPOST_CONTROL_PORT")}`;
  const httpUrl = `http://127.0.0.1:${portOf(plan, "ingest", "WAYPOST_HTTP_PORT")}`;
  const control = createControlClient(controlUrl, plan.adminToken);
  const client: SystemClient = {
    plan,
    control,
    httpUrl,
    controlUrl,
    smtpPort: portOf(plan, "ingest", "WAYPOST_SMTP_PORT"),
    mxPort: plan.mxPort,
    amqpUrl: plan.amqpUrl,
    managementUrl: plan.managementUrl,
    mongodbUri: plan.mongodbUri,
    account: (settings = {}) => createAccount(control, settings),
    relay: async (account, target, settings = {}) => {
      const body = { host: target.host, port: target.port, ...settings };
      const path = `/v1/accounts/${account.name}/domains/${account.domain}/relay`;
      expectStatus(await control.put(path, body), 200, "PUT relay");
      await untilRouted(control, account, target.host);
    },
    submit: (account, job, headers = {}) => submitJob(httpUrl, account, { job, headers }),
    accept: async (account, job, headers = {}) => {
      const answer = await submitJob<{ jobId: string }>(httpUrl, account, { job, headers });
      expectStatus(answer, 202, "POST job");
      return answer.body.jobId;
    },
    mailsOf: (jobId, count = 1) =>
      eventually(async () => {
        const { status, body } = await control.get<{ mails: RecordedMail[] }>(`/v1/jobs/${jobId}`);
        return status === 200 && body.mails.length >= count ? body.mails : undefined;
      }),
    ended: (mailId, deadlineMs) =>
      eventually(async () => {
        const { status, body } = await control.get<MailRecord>(`/v1/mails/${mailId}`);
        return status === 200 && isEnded(body) ? body : undefined;
      }, deadlineMs),
    healthPort: (service, replica = 0) => replicaOf(plan, service, replica).healthPort,
    metrics: async (service, replica = 0) => {
      const response = await fetch(`http://127.0.0.1:${replicaOf(plan, service, replica).healthPort}/metrics`);
      return response.text();
    },
    logs: (service, replica = 0) => parsedLines(readLog(replicaOf(plan, service, replica).logFile)),
  };
  return client;
}
