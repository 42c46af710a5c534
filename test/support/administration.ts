// What the contract tests of the administration API share: an account with its domain, and refusals looked at as problems.
import { expect } from "vitest";
import type { System } from "./system.ts";

export interface ProblemAnswer {
  status: number;
  detail: string;
  errors?: { path: string; message: string }[];
  waiting?: number;
  steps?: { step: string; ok: boolean; detail: string; ms: number }[];
}

export interface NewDomain {
  account: string;
  domain: string;
  path: string;
  relay: string;
}

/** An account of the test's own with one domain, and the paths of both. */
export async function newDomain(system: System): Promise<NewDomain> {
  const { name, domain } = await system.account();
  const path = `/v1/accounts/${name}/domains/${domain}`;
  return { account: name, domain, path, relay: `${path}/relay` };
}

/** The problem that a PUT is answered with. */
export async function refusedPut(system: System, path: string, body: unknown): Promise<ProblemAnswer> {
  const answer = await system.control.put<ProblemAnswer>(path, body);
  expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
  expect(answer.body.status).toBe(answer.status);
  return answer.body;
}

export const pathsOf = (problem: ProblemAnswer): string[] => (problem.errors ?? []).map(({ path }) => path);
