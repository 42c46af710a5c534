// What Kubernetes would otherwise put into a pod's environment: WAYPOST_CONTROL_PORT=tcp://… for the Service waypost-control.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { SERVICES } from "#shared/broker/topology.ts";

const documents = readFileSync(join(import.meta.dirname, "services.yaml"), "utf8").split(/^---$/m);

it.each(SERVICES)("%s starts with its own settings only, without variables for Kubernetes' Services", (service) => {
  const deployment = documents.find((text) => text.includes(`\n  name: ${service}\n`));
  // In the pod's spec, beside its containers.
  expect(deployment).toMatch(/^ {6}enableServiceLinks: false\n(?: {6}.*\n)*? {6}containers:$/m);
});
