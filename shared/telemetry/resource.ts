// Who speaks: the resource of all telemetry, as OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES and the detectors say.
import type { Resource, ResourceDetector } from "@opentelemetry/resources";
import {
  defaultResource,
  detectResources,
  envDetector,
  hostDetector,
  osDetector,
  processDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from "@opentelemetry/resources";
import type { OtelVariables } from "./exported.ts";

const DETECTORS: Readonly<Record<string, ResourceDetector>> = {
  serviceinstance: serviceInstanceIdDetector,
  process: processDetector,
  host: hostDetector,
  os: osDetector,
  env: envDetector,
};

/** Called `waypost-<service>` where the environment says nothing else. */
export function createResource(service: string, variables: OtelVariables): Resource {
  const named = variables["OTEL_NODE_RESOURCE_DETECTORS"] ?? "all";
  const names = named.split(",").map((name) => name.trim());
  const detectors = names.includes("all")
    ? Object.values(DETECTORS)
    : names.flatMap((name) => (name !== "none" && Object.hasOwn(DETECTORS, name) ? (DETECTORS[name] ?? []) : []));
  const base = defaultResource().merge(resourceFromAttributes({ "service.name": `waypost-${service}` }));
  return base.merge(detectResources({ detectors }));
}
