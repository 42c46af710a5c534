import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { noteVolume, volumeOf } from "./volumes.ts";

it("a clone finds its volumes again by the place where it stands", () => {
  const directory = "/home/ann/waypost/.waypost/local";
  expect(volumeOf(directory, "rabbitmq")).toBe("waypost-f2555c0248-rabbitmq");
  expect(volumeOf(directory, "mongodb")).toBe("waypost-e86e4aeaba-mongodb");
  expect(volumeOf("/home/ann/other/.waypost/local", "rabbitmq")).not.toBe(volumeOf(directory, "rabbitmq"));
});

it("the directory has each name once, however often the containers start", () => {
  const clone = mkdtempSync(join(tmpdir(), "waypost-volumes-"));
  const directory = join(clone, "local");
  const names = [noteVolume(directory, "rabbitmq"), noteVolume(directory, "mongodb")];
  noteVolume(directory, "rabbitmq");
  expect(readFileSync(join(directory, "volumes"), "utf8")).toBe(`${names.join("\n")}\n`);
  rmSync(clone, { recursive: true });
});
