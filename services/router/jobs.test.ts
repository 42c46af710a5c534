import { expect, it } from "vitest";
import { aJob } from "#test/support/build-mail.ts";
import { loadOf } from "./jobs.ts";

const addresses = ["a@example.net", "b@example.net"];
const headers = "x".repeat(1_048_576);

it("counts a job by its recipients, and by what its mails come to where that is more", () => {
  const job = aJob({ addresses });
  expect(loadOf(job)).toBe(2);
  expect(loadOf({ ...job, entries: [{ headers, addresses }] })).toBe(33);
  expect(loadOf(aJob({ addresses, head: { endpoint: headers } }))).toBe(161);
});
