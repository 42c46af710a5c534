// The signature of a POST, judged by the Standard Webhooks libraries of two other languages.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Endpoint, RecordedRequest } from "#test/support/endpoint.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import { eventually } from "#test/support/eventually.ts";
import type { NotifierAlone } from "#test/support/notifier.ts";
import { startNotifier, testJob } from "#test/support/notifier.ts";
import type { Judge } from "#test/support/standard-webhooks.ts";
import { goJudge, pythonJudge } from "#test/support/standard-webhooks.ts";

const SECRET = `whsec_${Buffer.from("umlauts äöü and more, 32 bytes ..").toString("base64")}`;
const PREVIOUS = `whsec_${Buffer.from("the secret before the rotation ..").toString("base64")}`;
const STRANGER = `whsec_${Buffer.from("nobody's secret, of thirty-two b.").toString("base64")}`;

let notifier: NotifierAlone;
let endpoint: Endpoint;
let post: RecordedRequest;

beforeAll(async () => {
  notifier = await startNotifier();
  endpoint = await startEndpoint();
  const { sealer } = notifier;
  const account = await notifier.account({
    url: endpoint.url,
    signingSecret: sealer.seal(SECRET),
    previousSigningSecret: sealer.seal(PREVIOUS),
  });
  await notifier.publish(testJob(account, 1, { from: "Größe & Söhne <sender@acme.example>" }).life(0));
  post = await eventually(() => endpoint.requests[0]);
});

afterAll(async () => {
  await notifier.stop();
  await endpoint.close();
});

const judges: [string, () => Promise<Judge>][] = [
  ["Python", pythonJudge],
  ["Go", goJudge],
];

describe.each(judges)("the library of %s", (_, open) => {
  let judge: Judge;
  beforeAll(async () => {
    judge = await open();
  }, 400_000);

  const signed = (secret: string) => ({ secret, headers: post.headers, body: post.raw.toString("utf8") });

  it("verifies with the current secret", async () => {
    expect(await judge(signed(SECRET))).toBe(true);
  });

  it("verifies with the previous secret", async () => {
    expect(await judge(signed(PREVIOUS))).toBe(true);
  });

  it("refuses a stranger's secret", async () => {
    expect(await judge(signed(STRANGER))).toBe(false);
  });

  it("refuses a body with one byte changed", async () => {
    const { body, ...rest } = signed(SECRET);
    expect(await judge({ ...rest, body: body.replace("DELIVERED", "DELIVERES").replace("STARTED", "STARTEE") })).toBe(
      false,
    );
  });
});
