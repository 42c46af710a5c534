import { expect, it } from "vitest";
import { samplerOf } from "./traces.ts";

it.each([
  [{}, "ParentBased{root=AlwaysOnSampler"],
  [{ OTEL_TRACES_SAMPLER: "always_on" }, "AlwaysOnSampler"],
  [{ OTEL_TRACES_SAMPLER: "always_off" }, "AlwaysOffSampler"],
  [{ OTEL_TRACES_SAMPLER: "ALWAYS_OFF" }, "AlwaysOffSampler"],
  [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.25" }, "TraceIdRatioBased{0.25}"],
  [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "7" }, "TraceIdRatioBased{1}"],
  [{ OTEL_TRACES_SAMPLER: "traceidratio" }, "TraceIdRatioBased{1}"],
  [{ OTEL_TRACES_SAMPLER: "parentbased_always_on" }, "ParentBased{root=AlwaysOnSampler"],
  [{ OTEL_TRACES_SAMPLER: "parentbased_always_off" }, "ParentBased{root=AlwaysOffSampler"],
  [
    { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" },
    "ParentBased{root=TraceIdRatioBased{0}",
  ],
  [{ OTEL_TRACES_SAMPLER: "sometimes" }, "ParentBased{root=AlwaysOnSampler"],
])("samples by %j", (variables, sampler) => {
  expect(
    samplerOf(variables, () => undefined)
      .toString()
      .startsWith(sampler),
  ).toBe(true);
});

it.each([
  [{ OTEL_TRACES_SAMPLER: "sometimes" }, /^OTEL_TRACES_SAMPLER: sometimes is none of always_on, .*_always_on counts$/],
  [{ OTEL_TRACES_SAMPLER: "constructor" }, /^OTEL_TRACES_SAMPLER: constructor is none of/],
  [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "7" }, /^OTEL_TRACES_SAMPLER_ARG: 7 is no number/],
])("says of %j what counts instead", (variables, told) => {
  const warnings: string[] = [];
  samplerOf(variables, (message) => warnings.push(message));
  expect(warnings).toEqual([expect.stringMatching(told)]);
});

it.each([{}, { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.5" }])(
  "says nothing of %j",
  (variables) => {
    const warnings: string[] = [];
    samplerOf(variables, (message) => warnings.push(message));
    expect(warnings).toEqual([]);
  },
);
