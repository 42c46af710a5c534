// Reads the configuration from the environment, once: the one file that touches process.env.
import { closest } from "fastest-levenshtein";
import type { z } from "zod";
import type { ServiceName } from "#shared/broker/topology.ts";
import { SERVICES } from "#shared/broker/topology.ts";
import type { SettingDefinition, SettingName } from "#shared/settings-table.ts";
import type { COMMON } from "#shared/settings-table.ts";
import { SETTINGS, USES } from "#shared/settings-table.ts";

type ValueOf<K extends SettingName> = (typeof SETTINGS)[K] extends { optional: true }
  ? z.output<(typeof SETTINGS)[K]["schema"]> | undefined
  : z.output<(typeof SETTINGS)[K]["schema"]>;
export type AllSettings = { readonly [K in SettingName]: ValueOf<K> };

/** What every service uses. */
export type CommonSettings = Pick<AllSettings, (typeof COMMON)[number]>;

export type SettingsOf<S extends ServiceName> = Pick<AllSettings, (typeof USES)[S][number]>;

export type SettingsResult<S extends ServiceName> =
  | { ok: true; settings: SettingsOf<S> & CommonSettings; warnings: readonly string[] }
  | { ok: false; problems: readonly string[]; readable: Partial<SettingsOf<S> & CommonSettings> };

type Environment = Readonly<Record<string, string | undefined>>;

function readOne(name: SettingName, env: Environment): { value: unknown } | { problem: string } {
  const definition: SettingDefinition = SETTINGS[name];
  const text = env[name] === "" ? undefined : (env[name] ?? definition.default);
  const wanted = text ?? definition.default;
  if (wanted === undefined) {
    return definition.optional === true
      ? { value: undefined }
      : { problem: `${name} is not set: ${definition.meaning}` };
  }
  const parsed = definition.schema.safeParse(wanted);
  if (parsed.success) return { value: parsed.data };
  const shape = parsed.error.issues.map((issue) => issue.message).join("; ");
  return {
    problem: `${name} is ${definition.secret === true ? "not valid" : JSON.stringify(wanted)}: it should be ${shape}`,
  };
}

/** A warning for each WAYPOST_ variable that is none of ours, with the nearest name. */
export function unknownVariables(env: Environment): string[] {
  const known = Object.keys(SETTINGS);
  const others = ["WAYPOST_CONTROL_URL"];
  return Object.keys(env)
    .filter((name) => name.startsWith("WAYPOST_") && !known.includes(name) && !others.includes(name))
    .filter((name) => !name.startsWith("WAYPOST_TEST_"))
    .map((name) => {
      const nearest = closest(name, known);
      return `${name} is no setting of Waypost; did you mean ${nearest}?`;
    });
}

/** The settings of one service, checked, or every mistake: one line each, naming the variable and what it should be. */
export function readSettings<S extends ServiceName>(service: S, env: Environment = process.env): SettingsResult<S> {
  const read = USES[service].map((name) => ({ name, ...readOne(name, env) }));
  const problems = read.flatMap((item) => ("problem" in item ? [item.problem] : []));
  const values = Object.fromEntries(read.flatMap((item) => ("value" in item ? [[item.name, item.value]] : [])));
  const settings = Object.freeze(values) as SettingsOf<S> & CommonSettings;
  if (problems.length > 0) return { ok: false, problems, readable: settings };
  return { ok: true, settings, warnings: unknownVariables(env) };
}

/** The health port of a service: as set, or 9464 and up by one in the order of the services. */
export function healthPortOf(service: ServiceName, set: number | undefined): number {
  return set ?? 9_464 + SERVICES.indexOf(service);
}

export interface CliSettings {
  controlUrl?: string | undefined;
  adminToken?: string | undefined;
}

/** Where the command line finds the administration API, as far as the environment says. */
export function readCliSettings(env: Environment = process.env): CliSettings {
  return { controlUrl: env["WAYPOST_CONTROL_URL"] || undefined, adminToken: env["WAYPOST_ADMIN_TOKEN"] || undefined };
}

export interface EffectiveSetting {
  name: string;
  /** As it stands in the environment or by default; secrets are masked. */
  value: string;
  origin: "environment" | "default" | "not set";
  problem?: string;
}

/** Every setting as a service started in this environment would have it. */
export function effectiveSettings(env: Environment = process.env): EffectiveSetting[] {
  return (Object.keys(SETTINGS) as SettingName[]).map((name) => {
    const definition: SettingDefinition = SETTINGS[name];
    const isSet = env[name] !== undefined && env[name] !== "";
    const text = isSet ? env[name] : definition.default;
    const read = readOne(name, env);
    const shown = definition.secret === true && text !== undefined ? "****" : (text ?? "");
    const origin = isSet ? "environment" : definition.default === undefined ? "not set" : "default";
    return { name, value: shown, origin, ...("problem" in read ? { problem: read.problem } : {}) };
  });
}

/** OpenTelemetry's own variables, for shared/telemetry. An empty one is none, as its specification has it. */
export function openTelemetryVariables(env: Environment = process.env): Environment {
  return Object.fromEntries(Object.entries(env).filter(([name, value]) => name.startsWith("OTEL_") && value !== ""));
}
