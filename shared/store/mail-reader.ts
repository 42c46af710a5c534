// The record for everybody who reads it: control (search, jobs, audit), ingest (limits) and the retry-scheduler's sweep.
import type { Filter } from "mongodb";
import type { TrackedMail } from "#shared/contracts/make-event.ts";
import type { Store } from "./connection.ts";
import { guard, guardLong } from "./connection.ts";
import type { MailQuery } from "./mail-search.ts";
import { DEFAULT_LIMIT, MOST_ITEMS } from "./documents.ts";
import { cursorAfter, mailFilter } from "./mail-search.ts";
import type { JobView, MailSummary, MailView } from "./mail-view.ts";
import { jobViewOf, mailViewOf, summaryOf } from "./mail-view.ts";
import type { MailRecord } from "./mails.ts";
import { MAIL_ORDER, mailsOf } from "./mails.ts";
import { trackedMailOfRecord } from "./recorded-mail.ts";

/** A mail past its deadline with no end, with all that a tracking point of it needs. */
export interface OverdueMail extends TrackedMail {
  /** Attempts that the record knows of. */
  attempts: number;
  lane?: string | undefined;
  relay?: string | undefined;
}

export interface RecordAudit {
  /** Mails received in the window. */
  mails: number;
  finished: number;
  /** Without an end, within their deadline. */
  alive: number;
  /** Mails with a second, different end. */
  late: readonly MailSummary[];
  /** Mails past their deadline and a minute, with no end, whenever they were received. */
  overdue: readonly MailSummary[];
}

export interface MailReader {
  mail(mailId: string): Promise<MailView | undefined>;
  job(jobId: string): Promise<JobView | undefined>;
  /** Newest first. */
  search(query: MailQuery): Promise<{ items: readonly MailSummary[]; cursor?: string }>;
  /** Mails of an account that have no end yet; with `lane`, those of one lane, in it or in retry. */
  waiting(account: string, lane?: string): Promise<number>;
  /** Mails whose end is still to be told to an endpoint: 1 stands for any number. */
  awaitsNotification(account: string): Promise<boolean>;
  /** Mails that should have ended before `moment`, oldest deadline first. */
  overdue(moment: Date, limit: number): Promise<readonly OverdueMail[]>;
  /** Whether the mail has its FINISHED; undefined for an unknown mail. */
  hasEnded(mailId: string): Promise<boolean | undefined>;
  audit(window: { since: Date; now: Date }): Promise<RecordAudit>;
}

const LATE_AFTER_MS = 60_000;
const MOST_OFFENDERS = 1_000;

function overdueMailOf(record: MailRecord): OverdueMail {
  return {
    ...trackedMailOfRecord(record),
    attempts: record.attempts.reduce((most, attempt) => Math.max(most, attempt.attempt), 0),
    lane: record.lane,
    relay: record.route === "relay" ? record.relay : undefined,
  };
}

function isPresent<T>(value: T | undefined): value is T {
  return value !== undefined;
}

async function auditWindow(store: Store, window: { since: Date; now: Date }): Promise<RecordAudit> {
  const mails = mailsOf(store);
  const within: Filter<MailRecord> = { receivedAt: { $gte: window.since } };
  const due = new Date(window.now.getTime() - LATE_AFTER_MS);
  // Of all times: a deadline is longer than the window that one looks at every day.
  const overdueFilter: Filter<MailRecord> = { open: true, deadline: { $lt: due } };
  const [all, open, openAndDue, late, overdue] = await Promise.all([
    mails.countDocuments(within),
    mails.countDocuments({ open: true, ...within }),
    mails.countDocuments({ ...overdueFilter, ...within }),
    mails.find({ "late.tag": { $exists: true }, ...within }, { limit: MOST_OFFENDERS }).toArray(),
    mails.find(overdueFilter, { limit: MOST_OFFENDERS, sort: { deadline: 1 } }).toArray(),
  ]);
  return {
    mails: all,
    finished: all - open,
    alive: Math.max(0, open - openAndDue),
    late: late.map(summaryOf),
    overdue: overdue.map(summaryOf),
  };
}

async function searchMails(store: Store, query: MailQuery): Promise<{ items: MailSummary[]; cursor?: string }> {
  const limit = Math.min(query.limit ?? DEFAULT_LIMIT, MOST_ITEMS);
  const found = await mailsOf(store)
    .find(mailFilter(query), { projection: { points: 0, attempts: 0, notifications: 0 } })
    .sort(MAIL_ORDER)
    .limit(limit + 1)
    .toArray();
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const hasMore = found.length > limit && last !== undefined;
  return { items: page.map((record) => summaryOf(record)), ...(hasMore ? { cursor: cursorAfter(last) } : {}) };
}

export function createMailReader(store: Store): MailReader {
  const mails = mailsOf(store);
  return {
    mail: (mailId) =>
      guard(async () => {
        const record = await mails.findOne({ _id: mailId });
        return record === null ? undefined : mailViewOf(record);
      }),
    job: (jobId) => guard(async () => jobViewOf(await mails.find({ jobId }).sort({ _id: 1 }).toArray())),
    search: (query) => guardLong(() => searchMails(store, query)),
    waiting: (account, lane) =>
      guardLong(() => mails.countDocuments({ account, open: true, ...(lane === undefined ? {} : { lane }) })),
    // Where nothing is awaited, all mails of the account are looked at.
    awaitsNotification: (account) =>
      guardLong(async () => isPresent((await mails.findOne({ account, awaitsNotification: true })) ?? undefined)),
    overdue: (moment, limit) =>
      guard(async () => {
        const found = mails
          .find({ open: true, deadline: { $lt: moment } })
          .sort({ deadline: 1 })
          .limit(limit);
        return (await found.toArray()).map(overdueMailOf);
      }),
    hasEnded: (mailId) =>
      guard(async () => {
        const record = await mails.findOne({ _id: mailId }, { projection: { open: 1 } });
        return record === null ? undefined : record.open !== true;
      }),
    audit: (window) => guardLong(() => auditWindow(store, window)),
  };
}
