// What a pod gets beside its own settings, which are few: WAYPOST_CONTROL_PORT=tcp://… for the Service waypost-control, a
// service account's token, and what is another service's secret. How it ends.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { SERVICES } from "#shared/broker/topology.ts";
import { SETTINGS, USES } from "#shared/settings-table.ts";

const documents = readFileSync(join(import.meta.dirname, "services.yaml"), "utf8").split(/^---$/m);

const deploymentOf = (service: string): string =>
  documents.find((text) => text.includes(`\n  name: ${service}\n`)) ?? "";

it.each(SERVICES)("%s starts with its own settings only, without variables for Kubernetes' Services", (service) => {
  // In the pod's spec, beside its containers.
  expect(deploymentOf(service)).toMatch(/^ {6}enableServiceLinks: false\n(?: {6}.*\n)*? {6}containers:$/m);
});

it.each(SERVICES)("%s gets no service account's token, and the admin token only where it is control", (service) => {
  expect(deploymentOf(service)).toMatch(/^ {6}automountServiceAccountToken: false\n(?: {6}.*\n)*? {6}containers:$/m);
  expect(deploymentOf(service).includes("secretRef: { name: waypost-admin }")).toBe(service === "control");
  expect(USES[service].some((name) => name === "WAYPOST_ADMIN_TOKEN")).toBe(service === "control");
});

it.each(SERVICES)(
  "%s is not killed while it drains, and ingest takes connections until nobody sends it any",
  (service) => {
    const text = deploymentOf(service);
    const graceSeconds = Number(/terminationGracePeriodSeconds: (\d+)/.exec(text)?.[1]);
    const sleepSeconds = Number(/preStop: \{ exec: \{ command: \["sleep", "(\d+)"\] \} \}/.exec(text)?.[1] ?? 0);
    expect(sleepSeconds > 0).toBe(service === "ingest");
    // What shared/service-run.ts takes for closing comes on top.
    expect(graceSeconds).toBeGreaterThan(sleepSeconds + Number(SETTINGS.WAYPOST_DRAIN_SECONDS.default) + 4);
  },
);
