// waypost trace --follow
import { expect, it } from "vitest";
import type { Client } from "../client.ts";
import { Refusal } from "../client.ts";
import { systemClock } from "#shared/clock.ts";
import { follow } from "./mail.ts";

/** What the record knows at each look: of every mail the types of its tracking points. */
type Look = Readonly<Record<string, readonly string[]>>;

const AT = { ts: "2026-08-01T00:00:00.000Z", subType: "X" };

async function followed(mailCount: number, looks: readonly Look[]): Promise<string[]> {
  let at = 0;
  const seen = (): Look => looks[at] ?? {};
  const get = async (path: string): Promise<unknown> => {
    const id = path.split("/").at(-1) ?? "";
    if (path.startsWith("/v1/jobs/")) return { mailCount, mails: Object.keys(seen()).map((mailId) => ({ mailId })) };
    const types = seen()[id];
    if (types === undefined) throw new Refusal("there is no such mail", { status: 404 });
    const trackingPoints = types.map((type) => ({ meta: { tag: `${id} ${type}`, event: { ...AT, type } } }));
    const hasEnded = types.includes("DELIVERED");
    return { mailId: id, email: "one@b.example", state: hasEnded ? "FINISHED" : "INITIAL", trackingPoints };
  };
  const lines: string[] = [];
  const output = { write: (line: string) => void lines.push(line.replace(/^.*Z {2}/, "")), isJson: false };
  const system = { controlUrl: "http://127.0.0.1:1", adminToken: "token" };
  const sleep = async (): Promise<void> => void (at += 1);
  await follow({ client: { get } as Client, system, output }, "job", { ...systemClock, sleep });
  return lines;
}

it("goes on until every mail of the job has ended, those too that are not recorded yet", async () => {
  const lines = await followed(2, [
    { m1: ["STARTED", "DELIVERED"] },
    { m1: ["STARTED", "DELIVERED"], m2: ["STARTED"] },
    { m1: ["STARTED", "DELIVERED"], m2: ["STARTED", "DELIVERED"] },
  ]);
  expect(lines).toEqual(["STARTED/X", "DELIVERED/X", "STARTED/X", "DELIVERED/X"]);
});

it("tells of both mails that a job has for one address", async () => {
  expect(await followed(2, [{ m1: ["DELIVERED"], m2: ["DELIVERED"] }])).toEqual(["DELIVERED/X", "DELIVERED/X"]);
});

it.each([401, 503, undefined])(
  "says at once what keeps it from looking, not that there is no such job: %s",
  async (status) => {
    const asked: string[] = [];
    const get = async (path: string): Promise<unknown> => {
      asked.push(path);
      throw new Refusal("cannot be asked", { status });
    };
    const system = { controlUrl: "http://127.0.0.1:1", adminToken: "token" };
    const output = { write: () => undefined, isJson: false };
    const following = follow({ client: { get } as unknown as Client, system, output }, "job");
    await expect(following).rejects.toThrow("cannot be asked");
    expect(asked).toEqual(["/v1/mails/job"]);
  },
);
