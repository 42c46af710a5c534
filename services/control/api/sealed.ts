// What becomes of a sealed secret by a PUT: given, left out (kept) or null (removed).
import type { Sealer } from "#shared/secrets.ts";

export type Secret = string | null | undefined;

/** The sealed form of a secret after a PUT; the old one where it says the same, so that a repetition changes nothing. */
export function resealed(given: Secret, before: string | undefined, sealer: Sealer): string | undefined {
  if (given === undefined) return before === undefined ? undefined : renewed(before, sealer);
  if (given === null) return undefined;
  return sealedAs(given, before, sealer);
}

export function sealedAs(clear: string, before: string | undefined, sealer: Sealer): string {
  return before !== undefined && opened(before, sealer) === clear ? renewed(before, sealer) : sealer.seal(clear);
}

/** A secret that is kept, sealed under the key of now: after a rotation every PUT does so, and the previous key can go. */
export function renewed(sealed: string, sealer: Sealer): string {
  const clear = sealer.isCurrent(sealed) ? undefined : opened(sealed, sealer);
  return clear === undefined ? sealed : sealer.seal(clear);
}

/** Undefined where it was sealed under a key that is gone. */
export function opened(sealed: string, sealer: Sealer): string | undefined {
  try {
    return sealer.open(sealed);
  } catch {
    return undefined;
  }
}

/** What a PUT leaves out is kept as a whole, its secret sealed under the key of now. */
export function kept<F extends string, T extends Record<F, string>>(
  before: T | undefined,
  secret: F,
  sealer: Sealer,
): T | undefined {
  return before === undefined ? undefined : { ...before, [secret]: renewed(before[secret], sealer) };
}
