import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { give } from "./ports.ts";

it("gives a port whose mark another user of the machine has left behind", () => {
  const place = mkdtempSync(join(tmpdir(), "waypost-marks-"));
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(place, { recursive: true });
  });
  vi.stubEnv("TMPDIR", place);
  mkdirSync(join(place, "waypost-ports"));
  // root may touch anybody's file, but no link to nowhere.
  symlinkSync("nowhere", join(place, "waypost-ports", "20001"));
  expect(give(20_001)).toBe(true);
  expect(give(20_002)).toBe(true);
  expect(give(20_002)).toBe(false);
});
