import { describe, expect, it } from "vitest";
import type { Phase } from "./script.ts";
import { phaseAt, readScript } from "./script.ts";

const HOUR = 3_600_000;

function scriptOf(text: string) {
  const read = readScript(text);
  if (!read.ok) throw new Error(read.problem);
  return read.script;
}

const summary = ({ end, ...rest }: Phase) => ({
  step: end.step,
  what: end.kind === "reply" ? end.reply.code : end.cause,
  ...rest,
});

describe("a script", () => {
  it.each([
    [
      "421 for 3 h, then 550",
      [
        { step: "greeting", what: 421, forMs: 3 * HOUR },
        { step: "rcpt", what: 550 },
      ],
    ],
    ["451 4.7.1 greylisted, try later 2 times, 250", undefined],
    [
      "451 4.7.1 greylisted 2 times; 250 2.0.0 Ok",
      [
        { step: "rcpt", what: 451, times: 2 },
        { step: "dot", what: 250 },
      ],
    ],
    [
      "554 at greeting for 90m then 250",
      [
        { step: "greeting", what: 554, forMs: 1.5 * HOUR },
        { step: "dot", what: 250 },
      ],
    ],
    [
      "connect-refused for 2d, Timeout",
      [
        { step: "connect", what: "connect-refused", forMs: 48 * HOUR },
        { step: "dot", what: "timeout" },
      ],
    ],
    ["down", [{ step: "connect", what: "connect-refused" }]],
    ["tls-missing at starttls once", undefined],
    ["354", undefined],
    ["451 at lunch", undefined],
    ["", undefined],
  ])("%j reads as %j", (text, phases) => {
    const read = readScript(text);
    expect(read.ok ? read.script.map(summary) : undefined).toEqual(phases);
  });

  it("says what is wrong with it", () => {
    expect(readScript("451 at lunch")).toEqual({ ok: false, problem: expect.stringContaining("lunch is no step") });
    expect(readScript("sulks")).toEqual({ ok: false, problem: expect.stringContaining('"sulks" is neither') });
    expect(readScript("354")).toEqual({ ok: false, problem: expect.stringContaining("354 ends no attempt") });
  });

  it("goes from one behaviour to the next by time and by number, and stays with the last", () => {
    const script = scriptOf("421 for 1h, 451 2 times, 550 for 1h");
    const [first, second, third] = script;
    const made = (count: number) => new Map(second === undefined ? [] : [[second, count]]);
    expect(phaseAt(script, HOUR - 1, made(0))).toBe(first);
    expect(phaseAt(script, HOUR, made(0))).toBe(second);
    expect(phaseAt(script, HOUR, made(1))).toBe(second);
    expect(phaseAt(script, HOUR, made(2))).toBe(third);
    expect(phaseAt(script, 9 * HOUR, made(2))).toBe(third);
  });
});
