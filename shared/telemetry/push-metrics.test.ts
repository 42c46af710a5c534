import { AggregationType, InstrumentType } from "@opentelemetry/sdk-metrics";
import { expect, it } from "vitest";
import { histogramsOf } from "./push-metrics.ts";

const VARIABLE = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";

it.each([
  [undefined, AggregationType.DEFAULT, []],
  ["explicit_bucket_histogram", AggregationType.DEFAULT, []],
  ["BASE2_exponential_bucket_histogram", AggregationType.EXPONENTIAL_HISTOGRAM, []],
  ["round", AggregationType.DEFAULT, [expect.stringMatching(`^${VARIABLE}: round left out: explicit_bucket`)]],
])("pushes histograms as %s", (named, type, told) => {
  const warnings: string[] = [];
  const chosen = histogramsOf({ [VARIABLE]: named }, (message) => warnings.push(message));
  expect(chosen(InstrumentType.HISTOGRAM)).toEqual({ type });
  expect(chosen(InstrumentType.COUNTER)).toEqual({ type: AggregationType.DEFAULT });
  expect(warnings).toEqual(told);
});
