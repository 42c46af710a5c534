// Lengths as people count them: in characters, not in UTF-16 units.

/** Whether a text has at most so many characters. */
export function hasAtMost(text: string, most: number): boolean {
  if (text.length <= most) return true;
  return text.length <= 2 * most && Array.from(text).length <= most;
}
