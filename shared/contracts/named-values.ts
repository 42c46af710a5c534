// A map with keys of somebody's choice, as key and value pairs: `__proto__`, `$where` and `a.b` are data like any other.
import { z } from "zod";
import { MOST_MISTAKES } from "./mistakes.ts";

export interface NamedValue {
  name: string;
  value: string;
}

type MistakeOf = (name: string, value: string) => string | undefined;

/** Each pair is checked by `mistakeOf`; its value comes without white space around it. Keys that differ only in case are one header. */
export function namedValues(mistakeOf: MistakeOf): z.ZodType<readonly NamedValue[], unknown> {
  return z
    .unknown()
    .transform((input, context): readonly NamedValue[] => {
      if (typeof input !== "object" || input === null || Array.isArray(input)) {
        context.addIssue("expected an object");
        return z.NEVER;
      }
      const refuse = (name: string, message: string): NamedValue[] => {
        if (context.issues.length < MOST_MISTAKES) context.addIssue({ code: "custom", path: [name], message });
        return [];
      };
      const seen = new Set<string>();
      const entries: [string, unknown][] = Object.entries(input);
      return entries.flatMap(([name, value]) => {
        const lower = name.toLowerCase();
        const isTwice = seen.has(lower);
        seen.add(lower);
        if (typeof value !== "string") return refuse(name, "expected a string");
        const mistake = mistakeOf(name, value) ?? (isTwice ? "given twice" : undefined);
        return mistake === undefined ? [{ name, value: value.trim() }] : refuse(name, mistake);
      });
    })
    .meta({ type: "object", additionalProperties: { type: "string" } });
}
