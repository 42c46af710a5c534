// Faults: what infrastructure does. Each has a stable code and says whether trying again may help.
// Expected answers (a refused mail, a bad job) are values, not errors. The README's table is kept equal to ERROR_CODES.

export const ERROR_CODES = {
  BROKER_UNAVAILABLE: "The broker cannot be reached, is blocked by an alarm, or did not confirm in time.",
  UNROUTABLE: "The broker had no queue for a message; the queue is declared again and the message published again.",
  STORE_UNAVAILABLE: "MongoDB cannot be reached, has no primary, refuses the user, or did not answer in time.",
  CONFIGURATION_STALE: "The configuration could not be confirmed for 5 seconds; routing and new attempts pause.",
  SECRET_UNREADABLE: "A stored secret cannot be opened with WAYPOST_SECRET_KEY or WAYPOST_SECRET_KEY_PREVIOUS.",
  CONTENT_MISSING: "The stored body of a mail is no longer there; the mail ends as DROPPED / PROCESSING_FAILED.",
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export class WaypostError extends Error {
  override readonly name: string = "WaypostError";
  readonly code: ErrorCode;
  /** Whether the same work may succeed later without anybody changing it. */
  readonly retriable: boolean;

  constructor(code: ErrorCode, message: string, options: { retriable: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.retriable = options.retriable;
  }
}

export class BrokerUnavailable extends WaypostError {
  override readonly name = "BrokerUnavailable";
  constructor(message: string, cause?: unknown) {
    super("BROKER_UNAVAILABLE", message, { retriable: true, cause });
  }
}

export class StoreUnavailable extends WaypostError {
  override readonly name = "StoreUnavailable";
  constructor(message: string, cause?: unknown) {
    super("STORE_UNAVAILABLE", message, { retriable: true, cause });
  }
}

export class ConfigurationStale extends WaypostError {
  override readonly name = "ConfigurationStale";
  constructor(message: string) {
    super("CONFIGURATION_STALE", message, { retriable: true });
  }
}

/** Whether a thrown value is a fault of a backing service: pause and try again, it is not the message's doing. */
export function isRetriable(error: unknown): boolean {
  return error instanceof WaypostError && error.retriable;
}

const MOST_CHARACTERS = 300;

/** An error in its own words, for people who ask why something is away: `/readyz`, `waypost doctor`. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, MOST_CHARACTERS) : String(error);
}
