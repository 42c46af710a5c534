// How long what is told of a mail is kept: for the retention, however short that is a day longer than the mail's deadline,
// for at the deadline its end is decided by it.

const AFTER_DEADLINE_MS = 86_400_000;

export function keptUntil(at: Date, retentionMs: number, deadline: Date | undefined): Date {
  const leastMs = deadline === undefined ? 0 : deadline.getTime() + AFTER_DEADLINE_MS;
  return new Date(Math.max(at.getTime() + retentionMs, leastMs));
}
