// Who decides how many replicas there are: an autoscaler's number must not be set back by the next `kubectl apply`.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const read = (...path: readonly string[]): string => readFileSync(join(import.meta.dirname, ...path), "utf8");

/** The names of the Deployments that a file's autoscalers scale. */
const scaledBy = (text: string): string[] =>
  [...text.matchAll(/^ {2}scaleTargetRef: \{.*\bname: ([a-z-]+) \}$/gm)].map(([, name = ""]) => name);

const replicasSaid = read("services.yaml")
  .split(/^---$/m)
  .filter((text) => /^ {2}replicas:/m.test(text))
  .map((text) => /^ {2}name: ([a-z-]+)$/m.exec(text)?.[1]);

it("leaves the replicas of what an autoscaler scales out", () => {
  const scaled = scaledBy(read("autoscaling.yaml"));
  expect(scaled).toEqual(["ingest"]);
  expect(replicasSaid.filter((name) => scaled.includes(name ?? ""))).toEqual([]);
});

it("takes the replicas of what KEDA scales out where KEDA is used, and leaves all others", () => {
  const scaled = scaledBy(read("keda", "scaled-objects.yaml"));
  const keda = read("keda", "kustomization.yaml");
  const target = /target: \{ kind: Deployment, name: "([a-z|-]+)" \}\n.*\n *- \{ op: remove, path: \/spec\/replicas \}/;
  expect(target.exec(keda)?.[1]?.split("|")).toEqual(scaled);
  // To remove what is not there is an error.
  expect(replicasSaid).toEqual(expect.arrayContaining(scaled));
});
