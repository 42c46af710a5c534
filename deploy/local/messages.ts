// What `npm start` says.
import type { DemoAccess, DemoOutcome } from "./demo.ts";
import { DEMO_ACCOUNT, DEMO_DOMAIN, demoJob } from "./demo.ts";
import type { DemoServers } from "./demo-servers.ts";
import { DEMO_HOST } from "./demo-servers.ts";
import type { LocalPorts } from "./service-processes.ts";

export function say(line: string): void {
  console.log(line);
}

export function farewell(): void {
  say("stopped. The data stays in .waypost/: `npm start` goes on with it, `npx waypost reset` removes it.");
}

export interface Welcome {
  access: DemoAccess;
  ports: LocalPorts;
  demo: DemoServers;
  outcome: DemoOutcome;
  /** The body that the demo endpoint got. */
  push: string | undefined;
}

function indented(json: string): string {
  return JSON.stringify(JSON.parse(json), undefined, 2)
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
}

/** The default ports may have been taken: then others are. */
function healthLine({ host, health }: LocalPorts): string {
  const places = Object.entries(health).map(([service, port]) => `${service} ${port}`);
  return `Health         on ${host} (/readyz, /metrics): ${places.join(", ")}`;
}

function brokerLine({ amqpUrl }: DemoAccess): string {
  return amqpUrl === undefined ? "" : `\nDEMO broker    ${amqpUrl}   (as the demo account: docs/examples)`;
}

function curlLine(access: DemoAccess): string {
  const job = JSON.stringify(demoJob()).replaceAll("'", "’");
  return `  curl -u ${DEMO_ACCOUNT}:${access.password} -H 'content-type: application/json' \\\n    -d '${job}' \\\n    ${access.ingestUrl}/v1/jobs`;
}

export function welcome({ access, ports, demo, outcome, push }: Welcome): void {
  const trace = outcome.traceId === undefined ? "" : `, trace ${outcome.traceId}`;
  say(`
A demo mail was relayed: job ${outcome.jobId}, mail ${outcome.mailId}${trace}
${outcome.timeline.join("\n")}

The push notification that told of it:
${push === undefined ? "  (none came within 15 s: see `npx waypost dead list`)" : indented(push)}

Submit jobs    ${access.ingestUrl}/v1/jobs   (SMTP: ${ports.host}:${ports.smtp}, STARTTLS)
Console, API   ${access.controlUrl}/   (described at /docs; token ${access.adminToken})
${healthLine(ports)}
DEMO account   ${DEMO_ACCOUNT}, password ${access.password}, sender domain ${DEMO_DOMAIN}
DEMO relay     ${DEMO_HOST}, a demo mail server on 127.0.0.1:${demo.smtpPort}: it takes everything and keeps nothing
DEMO endpoint  ${demo.endpointUrl}${brokerLine(access)}
Logs           .waypost/local/log/

Send the next one:
${curlLine(access)}
Follow it:
  npx waypost trace <jobId> --follow

Ctrl-C stops everything.`);
}
