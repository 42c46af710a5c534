// The control headers of an SMTP submission (contract, JobRequest over SMTP): which there are, what each may say, and
// what they say together. Pure: the message itself is cut elsewhere.
import { hasAtMost } from "#shared/contracts/characters.ts";
import type { EndpointDetails } from "#shared/contracts/endpoint-details.ts";
import { mistakeOfEndpointUrl, mistakeOfNotificationHeader } from "#shared/contracts/endpoint-rules.ts";
import { MAX_REFERENCE_CHARACTERS } from "#shared/contracts/job-request-fields.ts";
import type { HeaderField } from "./header-fields.ts";
import { decodeUtf8, decodeWords, unfold } from "./header-fields.ts";

/** What the control headers said, in the words of a JobRequest. */
export interface ControlDetails {
  referenceJob?: string;
  campaignId?: string;
  costCenter?: string;
  messageSigning?: boolean;
  endpoint?: EndpointDetails;
}

/** A refusal names the header, spelled as the contract has it. */
export type ControlResult = { ok: true; details: ControlDetails } | { ok: false; header: string; reason: string };

const MOST_HEADER_CHARACTERS = 1_000;
const TOO_MANY_CHARACTERS = `its values are over ${MOST_HEADER_CHARACTERS} characters in all`;

const CONTROL_NAMES = [
  "NOTIFICATION-URL",
  "NOTIFICATION-HEADER",
  "NOTIFICATION-AUTH-METHOD",
  "NOTIFICATION-AUTH-USER",
  "NOTIFICATION-AUTH-PASSWORD",
  "REFERENCE",
  "CAMPAIGN-ID",
  "COST-CENTER",
  "MESSAGE-SIGNING-ACTIVE",
] as const;
type ControlName = (typeof CONTROL_NAMES)[number];

// oxlint-disable-next-line no-control-regex
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f]/;

type Values = ReadonlyMap<ControlName, readonly string[]>;
type Refusal = { name: ControlName; reason: string };
const refuse = (name: ControlName, reason: string): Refusal => ({ name, reason });

/** Which control header a field is, if it is one, whatever its case and whichever of the prefixes it has. */
export function controlNameOf(fieldName: string, prefixes: readonly string[]): ControlName | undefined {
  for (const prefix of prefixes) {
    const start = `${prefix.toLowerCase()}-`;
    if (!fieldName.startsWith(start)) continue;
    const rest = fieldName.slice(start.length).toUpperCase();
    const found = CONTROL_NAMES.find((name) => name === rest);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The header as its sender spells it: one that is missing has the prefix of the others. */
function spelled(name: ControlName, fields: readonly HeaderField[], prefixes: readonly string[]): string {
  const used = prefixes.filter((prefix) => fields.some((field) => controlNameOf(field.name, [prefix]) !== undefined));
  const own = used.find((prefix) => fields.some((field) => controlNameOf(field.name, [prefix]) === name));
  return `${own ?? used[0] ?? ""}-${name}`;
}

/** A URL may be folded in mid-word by its writer: what folding put between is no part of it. */
function valueOf(name: ControlName, raw: string): string | undefined {
  const isUrl = name === "NOTIFICATION-URL";
  const text = isUrl ? raw.replace(/\r\n[ \t]+/g, "").trim() : unfold(raw).replaceAll("\t", " ");
  const decoded = decodeUtf8(text);
  return decoded === undefined ? undefined : decodeWords(decoded);
}

function gather(fields: readonly HeaderField[], prefixes: readonly string[]): Values | Refusal {
  const values = new Map<ControlName, string[]>();
  for (const field of fields) {
    const name = controlNameOf(field.name, prefixes);
    if (name === undefined) continue;
    const value = valueOf(name, field.raw);
    if (value === undefined) return refuse(name, "its value is not UTF-8");
    if (value === "") return refuse(name, "its value is empty");
    if (CONTROL_CHARACTERS.test(value)) return refuse(name, "its value has control characters");
    const known = values.get(name) ?? [];
    if (known.length > 0 && name !== "NOTIFICATION-HEADER") return refuse(name, "it is given more than once");
    known.push(value);
    values.set(name, known);
    // Each value has a character: there is no need to gather more of them.
    if (known.length > MOST_HEADER_CHARACTERS) return refuse(name, TOO_MANY_CHARACTERS);
  }
  return values;
}

const firstOf = (values: Values, name: ControlName): string | undefined => values.get(name)?.[0];

function readUrl(values: Values): { url?: string } | Refusal {
  const name = "NOTIFICATION-URL";
  const url = firstOf(values, name);
  if (url === undefined) {
    const orphan = CONTROL_NAMES.find((other) => other.startsWith("NOTIFICATION-") && values.has(other));
    return orphan === undefined ? {} : refuse(name, `it is missing beside ${orphan}`);
  }
  const mistake = mistakeOfEndpointUrl(url);
  return mistake === undefined ? { url } : refuse(name, mistake);
}

type Headers = { name: string; value: string }[];

function readHeaders(values: Values): { headers?: Headers } | Refusal {
  const name = "NOTIFICATION-HEADER";
  const lines = values.get(name) ?? [];
  if (!hasAtMost(lines.join(""), MOST_HEADER_CHARACTERS)) return refuse(name, TOO_MANY_CHARACTERS);
  const headers: Headers = [];
  for (const line of lines) {
    const [key = "", value = ""] = line.split(/=(.*)/s).map((part) => part.trim());
    if (key === "" || value === "") return refuse(name, "its value is not key=value");
    const mistake = mistakeOfNotificationHeader(key, value);
    if (mistake !== undefined) return refuse(name, `${key}: ${mistake}`);
    if (headers.some((known) => known.name.toLowerCase() === key.toLowerCase()))
      return refuse(name, `the key ${key} is given more than once`);
    headers.push({ name: key, value });
  }
  const hasAuthorization = headers.some((known) => known.name.toLowerCase() === "authorization");
  if (hasAuthorization && values.has("NOTIFICATION-AUTH-METHOD"))
    return refuse(name, "Authorization beside NOTIFICATION-AUTH-METHOD");
  return headers.length === 0 ? {} : { headers };
}

type Authentication = NonNullable<EndpointDetails["authentication"]>;

function readAuthentication(values: Values): { authentication?: Authentication } | Refusal {
  const method = firstOf(values, "NOTIFICATION-AUTH-METHOD");
  const user = firstOf(values, "NOTIFICATION-AUTH-USER");
  const password = firstOf(values, "NOTIFICATION-AUTH-PASSWORD");
  if (method === undefined && user === undefined && password === undefined) return {};
  if (method === undefined) return refuse("NOTIFICATION-AUTH-METHOD", "it is missing beside the credentials");
  if (method.toUpperCase() !== "BASIC") return refuse("NOTIFICATION-AUTH-METHOD", "its value is not BASIC");
  if (user === undefined) return refuse("NOTIFICATION-AUTH-USER", "it is missing beside NOTIFICATION-AUTH-METHOD");
  if (user.includes(":")) return refuse("NOTIFICATION-AUTH-USER", "a user of Basic authentication has no colon");
  if (password === undefined)
    return refuse("NOTIFICATION-AUTH-PASSWORD", "it is missing beside NOTIFICATION-AUTH-METHOD");
  return { authentication: { method: "BASIC", user, password } };
}

function readEndpoint(values: Values): { endpoint?: EndpointDetails } | Refusal {
  const url = readUrl(values);
  if ("reason" in url) return url;
  const headers = readHeaders(values);
  if ("reason" in headers) return headers;
  const authentication = readAuthentication(values);
  if ("reason" in authentication) return authentication;
  return url.url === undefined ? {} : { endpoint: { url: url.url, ...headers, ...authentication } };
}

const REFERENCES = [
  ["REFERENCE", "referenceJob"],
  ["CAMPAIGN-ID", "campaignId"],
  ["COST-CENTER", "costCenter"],
] as const;

function readReferences(values: Values): ControlDetails | Refusal {
  const details: ControlDetails = {};
  for (const [name, key] of REFERENCES) {
    const value = firstOf(values, name);
    if (value === undefined) continue;
    if (!hasAtMost(value, MAX_REFERENCE_CHARACTERS))
      return refuse(name, `its value is over ${MAX_REFERENCE_CHARACTERS} characters`);
    details[key] = value;
  }
  return details;
}

function readSigning(values: Values): { messageSigning?: boolean } | Refusal {
  const value = firstOf(values, "MESSAGE-SIGNING-ACTIVE")?.toLowerCase();
  if (value === undefined) return {};
  if (value !== "true" && value !== "false") return refuse("MESSAGE-SIGNING-ACTIVE", "its value is not true or false");
  return { messageSigning: value === "true" };
}

/** What the control headers among `fields` say, or the first that says something it may not. */
export function readControlHeaders(fields: readonly HeaderField[], prefixes: readonly string[]): ControlResult {
  const fail = ({ name, reason }: Refusal): ControlResult => ({
    ok: false,
    header: spelled(name, fields, prefixes),
    reason,
  });
  const values = gather(fields, prefixes);
  if ("reason" in values) return fail(values);
  const references = readReferences(values);
  if ("reason" in references) return fail(references);
  const signing = readSigning(values);
  if ("reason" in signing) return fail(signing);
  const endpoint = readEndpoint(values);
  if ("reason" in endpoint) return fail(endpoint);
  return { ok: true, details: { ...references, ...signing, ...endpoint } };
}
