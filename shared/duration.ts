// Durations in configuration: `90s`, `5m`, `48h`, `30d` (operator contract, Environment).
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A hundred years. Dates end some time after that, and what is kept until such a moment would be gone at once. */
const LONGEST_MS = 36_500 * 86_400_000;

/** Milliseconds of a duration such as `5m`, or undefined where the text is none. Neither is zero, nor more than `36500d`. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text.trim());
  if (match === null) return undefined;
  const ms = Number(match[1]) * (UNIT_MS[match[2] ?? ""] ?? 0);
  return ms > 0 && ms <= LONGEST_MS ? ms : undefined;
}

/** The shortest spelling of a duration in whole units: 300000 → `5m`. */
export function formatDuration(ms: number): string {
  const unit = (["d", "h", "m", "s"] as const).find((name) => ms % (UNIT_MS[name] ?? 1) === 0) ?? "ms";
  return `${ms / (UNIT_MS[unit] ?? 1)}${unit}`;
}
