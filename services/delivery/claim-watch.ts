// The claim of an attempt under way (design, Ledger): at once for a copy and who has waited, after 2 s for an ordinary first delivery;
// renewed until the attempt is over. A claim that another holds ends this attempt, unless its final dot is out.
import type { Clock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import type { ClaimAnswer, Ledger, LedgerKey } from "#shared/store/ledger.ts";
import { CLAIM_RENEWAL_MS } from "#shared/store/ledger.ts";

/** An ordinary first delivery is without a claim for so long: while it waits for its place, and in its attempt. */
export const CLAIM_AFTER_MS = 2_000;

export interface ClaimPorts {
  ledger: Pick<Ledger, "claim">;
  clock: Clock;
  log: Log;
}

export interface ClaimWatch {
  /** Another process holds the claim: this attempt was ended for it. */
  readonly isLost: boolean;
  stop(): void;
}

export interface Claimed {
  key: LedgerKey;
  deadline: Date;
  /** Of this attempt alone: two copies in one process are no less two. */
  owner: string;
  isClaimed: boolean;
  /** Ends the attempt where that is still possible. */
  onLost: () => void;
}

/** Watches over an attempt from its start. The timers of all attempts that last less than 2 s come to nothing. */
export function watchClaim(ports: ClaimPorts, { key, deadline, owner, isClaimed, onLost }: Claimed): ClaimWatch {
  let isLost = false;
  let isOver = false;
  let timer: NodeJS.Timeout;
  const ask = async (): Promise<void> => {
    try {
      const answer: ClaimAnswer = await ports.ledger.claim(key, owner, deadline);
      if (answer === "taken" && !isOver) {
        isLost = true;
        onLost();
        return;
      }
    } catch (error) {
      ports.log.warn({ mailId: key.mailId, attempt: key.attempt, err: error }, "ledger.claim_failed");
    }
    if (!isOver) timer = setTimeout(() => void ask(), CLAIM_RENEWAL_MS);
  };
  timer = setTimeout(() => void ask(), isClaimed ? CLAIM_RENEWAL_MS : CLAIM_AFTER_MS);
  return {
    get isLost() {
      return isLost;
    },
    stop: () => {
      isOver = true;
      clearTimeout(timer);
    },
  };
}
