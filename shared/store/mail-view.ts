// A record as the administration API shows it (operator contract, GET /v1/mails/{mailId} and GET /v1/jobs/{jobId}).
import type { Attempt } from "#shared/contracts/attempt.ts";
import type { JobMeta, Notification } from "#shared/contracts/push-notification.ts";
import type { MailPoint, MailRecord, MailState } from "./mails.ts";

export type RouteView = { kind: "relay"; host: string } | { kind: "mx" };

export interface AttemptView {
  attempt: number;
  at: string;
  ms: number;
  host?: string;
  address?: string;
  localAddress?: string;
  outcome: Attempt["result"]["status"];
  /** The reply, or our own words where there was none. */
  response: string;
  responseCode?: number;
  dsn: string;
  step?: string;
  tls?: Attempt["result"]["tls"];
  remoteQueueId?: string;
  uncertain?: boolean;
}

export interface NotificationView {
  at: string;
  url: string;
  status: number;
  error?: string;
  /** The `webhook-id` of the POST. */
  id: string;
}

export interface MailSummary {
  mailId: string;
  jobId: string;
  account: string;
  email: string;
  from: string;
  receivedTs: string;
  /** Of the mail's entry in the JobRequest. */
  reference?: string;
  state: MailState;
  type: MailRecord["type"];
  subType: MailRecord["subType"];
  route?: RouteView;
  finishedTs?: string;
}

export interface MailView extends MailSummary {
  mimeFrom?: string;
  sender: string;
  deadline: string;
  lane?: string;
  traceId?: string;
  meta: JobMeta;
  trackingPoints: readonly Notification[];
  attempts: readonly AttemptView[];
  notifications: readonly NotificationView[];
  /** Ends that came after the first; a defect. */
  late?: readonly Notification[];
  erased?: true;
}

export interface JobView {
  jobId: string;
  account: string;
  customerNo: string;
  tenant?: string | undefined;
  receivedTs: string;
  deadline: string;
  traceId?: string | undefined;
  referenceJob?: string | undefined;
  costCenter?: string | undefined;
  campaignId?: string | undefined;
  /** How many mails the job has; `mails` may still lack some of them. */
  mailCount?: number | undefined;
  mails: readonly MailSummary[];
}

const PHASES = ["PRE_PROCESS", "PROCESS", "DELIVER"];
const STATES = ["INITIAL", "INTERMEDIATE", "FINISHED"];

function present<T extends object, K extends keyof T>(source: T, keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(keys.flatMap((key) => (source[key] === undefined ? [] : [[key, source[key]]]))) as Pick<
    T,
    K
  >;
}

function orderOf(point: MailPoint): number {
  return PHASES.indexOf(point.event.phase) * STATES.length + STATES.indexOf(point.event.state);
}

/** By time; points of the same millisecond in the order of a mail's life. */
function oldestFirst(points: readonly MailPoint[]): MailPoint[] {
  return points.toSorted((a, b) => Date.parse(a.event.ts) - Date.parse(b.event.ts) || orderOf(a) - orderOf(b));
}

/** A tracking point as its push notification has it. */
export function notificationOf(record: MailRecord, point: MailPoint): Notification {
  return {
    meta: {
      tag: point.tag,
      mail: { id: record._id, email: record.email, from: record.from, ...present(record, ["mimeFrom"]) },
      event: point.event,
    },
    ...present(point, ["content"]),
  };
}

function routeOf(record: MailRecord): { route?: RouteView } {
  if (record.route === undefined) return {};
  return { route: record.route === "relay" ? { kind: "relay", host: record.relay ?? "" } : { kind: "mx" } };
}

function viewAttempt(attempt: Attempt): AttemptView {
  const { result } = attempt;
  return {
    attempt: attempt.attempt,
    at: attempt.at,
    ms: attempt.durationMs,
    ...present(result, ["host", "address", "localAddress", "step", "tls", "remoteQueueId", "uncertain"]),
    outcome: result.status,
    response: result.text,
    ...(result.replyCode === undefined ? {} : { responseCode: result.replyCode }),
    dsn: result.enhancedStatus,
  } as AttemptView;
}

export function summaryOf(record: MailRecord): MailSummary {
  return {
    mailId: record._id,
    jobId: record.jobId,
    account: record.account,
    email: record.email,
    from: record.from,
    receivedTs: record.meta.receivedTs,
    ...present(record, ["reference"]),
    state: record.state,
    type: record.type,
    subType: record.subType,
    ...routeOf(record),
    ...(record.finishedAt === undefined ? {} : { finishedTs: record.finishedAt.toISOString() }),
  };
}

function traceIdOf(record: MailRecord): { traceId?: string } {
  const traceId = record.traceparent?.split("-")[1];
  return traceId === undefined ? {} : { traceId };
}

export function mailViewOf(record: MailRecord): MailView {
  return {
    ...summaryOf(record),
    ...present(record, ["mimeFrom", "lane", "erased"]),
    sender: record.sender,
    deadline: record.deadline.toISOString(),
    ...traceIdOf(record),
    meta: record.meta,
    trackingPoints: oldestFirst(record.points).map((point) => notificationOf(record, point)),
    attempts: record.attempts.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at)).map(viewAttempt),
    notifications: record.notifications
      .toSorted((a, b) => a.at.getTime() - b.at.getTime())
      .map((note) => ({ ...note, at: note.at.toISOString() })),
    ...(record.late === undefined ? {} : { late: record.late.map((point) => notificationOf(record, point)) }),
  };
}

/** The job as its mails tell of it; undefined where there is none. */
export function jobViewOf(records: readonly MailRecord[]): JobView | undefined {
  const [first] = records;
  if (first === undefined) return undefined;
  const mailCount = records.find((record) => record.mails !== undefined)?.mails;
  return {
    jobId: first.jobId,
    account: first.account,
    ...present(first.meta, ["customerNo", "tenant", "referenceJob", "costCenter", "campaignId"]),
    receivedTs: first.meta.receivedTs,
    deadline: first.deadline.toISOString(),
    ...traceIdOf(first),
    ...(mailCount === undefined ? {} : { mailCount }),
    mails: records.map(summaryOf),
  };
}
