// What counts as a fully qualified domain name (contract, Relay Service 4): no IP literal in any notation, no bare name,
// no port, nothing empty or over-long. Also for sender domains.
import { hasAtMost } from "#shared/contracts/characters.ts";
import { toALabels } from "#shared/email/domain-name.ts";

const LONGEST_NAME = 253;
const LONGEST_LABEL = 63;
const LABEL = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
const ADDRESS_LIKE =
  /^\[.*\]$|^[0-9a-f:.]*:[0-9a-f:.%]*:[0-9a-z:.%]*$|^(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+)){0,3}\.?$/;

export type HostName = { ok: true; name: string } | { ok: false; problem: string };

const TOO_LONG = refused(`is longer than ${LONGEST_NAME} characters`);

/** The name as lower-case A-labels, or what is wrong with it. */
export function readHostName(text: string): HostName {
  // First: what follows takes more than twice as long for twice the length.
  if (!hasAtMost(text, LONGEST_NAME)) return TOO_LONG;
  const lower = text.toLowerCase();
  if (ADDRESS_LIKE.test(lower)) return refused("an IP address; it should be a fully qualified domain name");
  if (/:[0-9]*$/.test(lower)) return refused("has a port; it should be a name alone");
  if (/[\s/\\@?#%:[\]]/.test(lower)) return refused("has characters that no host name has");
  const labels = lower.split(/[.\u3002\uff0e\uff61]/u);
  if (labels.includes("")) return refused("has an empty label");
  const name = toALabels(lower);
  return name === undefined ? refused("is no host name") : checkLabels(name);
}

function checkLabels(name: string): HostName {
  if (name.length > LONGEST_NAME) return TOO_LONG;
  const labels = name.split(".");
  if (labels.length < 2) return refused("a bare host name; it should be fully qualified, such as relay.example.com");
  const tooLong = labels.find((label) => label.length > LONGEST_LABEL);
  if (tooLong !== undefined) return refused(`has a label of more than ${LONGEST_LABEL} characters`);
  const bad = labels.find((label) => !LABEL.test(label));
  if (bad !== undefined) return refused(`has the label ${JSON.stringify(bad)}; letters, digits and inner hyphens only`);
  if (!/^[a-z]/.test(labels.at(-1) ?? ""))
    return refused("has a top level that no domain has; it begins with a letter");
  return { ok: true, name };
}

function refused(problem: string): HostName {
  return { ok: false, problem };
}
