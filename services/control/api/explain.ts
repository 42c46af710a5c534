// GET /v1/explain: asks the very functions that the router asks, the recipient checks first, then route().
import { z } from "zod";
import { parseAddress, parseMailbox, wireAddress } from "#shared/email/address.ts";
import type { Configuration } from "#shared/routing/configuration.ts";
import { TLS_MODES } from "#shared/routing/configuration.ts";
import type { ReadAddress } from "#shared/routing/recipient.ts";
import { checkRecipient, suppressionKey } from "#shared/routing/recipient.ts";
import type { Route } from "#shared/routing/route.ts";
import { route } from "#shared/routing/route.ts";
import { createSigningRule } from "#shared/signing/signing-rule.ts";
import { configurationOf, domainKey } from "#shared/store/configuration.ts";
import type { ApiContext } from "./context.ts";
import type { Operation } from "./operation.ts";
import { NOTHING, operation } from "./operation.ts";
import { present } from "./present.ts";
import { badInput, notFound } from "./problem.ts";
import type { Problem } from "./problem.ts";
import { whyUnsigned } from "./signing.ts";

const explanation = z
  .object({
    route: z
      .object({
        kind: z.enum(["relay", "mx"]),
        host: z.string().optional(),
        port: z.int().optional(),
        sourceIp: z.string().optional(),
        tls: z.enum(TLS_MODES).optional(),
      })
      .optional(),
    dropped: z.object({ subType: z.string() }).optional(),
    because: z.array(z.string()),
  })
  .meta({ id: "Explanation", description: "the route of such a mail, or why it is dropped" });
type Explanation = z.output<typeof explanation>;

interface Question {
  account: string;
  from: string;
  to: string;
}

function readAddress(given: string): ReadAddress | undefined {
  const { address } = parseMailbox(given);
  const parsed = parseAddress(address);
  return parsed === undefined ? undefined : { address: wireAddress(address), localPart: parsed.local };
}

function explained(found: Route, mxPort: number): Explanation {
  switch (found.kind) {
    case "relay": {
      const { host, port } = found.relay;
      const { tls, sourceIp } = found;
      return { route: { kind: "relay", host, port, ...present({ sourceIp }), tls }, because: found.because };
    }
    case "mx":
      return { route: { kind: "mx", port: mxPort, ...present({ sourceIp: found.sourceIp }) }, because: found.because };
    case "bounce":
    case "held-back":
      return { dropped: { subType: "PROCESSING_FAILED" }, because: [...found.because, found.reason] };
  }
}

async function dropOf(
  context: ApiContext,
  account: string,
  read: ReadAddress | undefined,
): Promise<Explanation | undefined> {
  const key = suppressionKey(account, read);
  const found = key === undefined ? undefined : (await context.suppressions.find([key])).get(key);
  const rules = {
    forbiddenLocalParts: new Set(context.settings.forbiddenLocalParts.map((part) => part.toLowerCase())),
  };
  const checked = checkRecipient(read, rules, { suppression: found, acceptedMs: context.clock.nowMs() });
  if (checked.kind === "accepted") return undefined;
  return { dropped: { subType: checked.point }, because: [checked.description] };
}

/** The account's configuration as it is stored now: what was just changed counts. */
async function configured(context: ApiContext, account: string, domain: string): Promise<Configuration> {
  const key = domainKey(account, domain);
  const [accounts, domains, relays] = await Promise.all([
    context.accounts.find(account),
    context.domains.find(key),
    context.relays.find(key),
  ]);
  const listed = <T>(found: T | undefined): T[] => (found === undefined ? [] : [found]);
  return configurationOf({ accounts: listed(accounts), domains: listed(domains), relays: listed(relays) });
}

/** What is to be signed and cannot be is not sent (contract, Message Signing). */
function unsignedOf(
  context: ApiContext,
  mail: { account: string; sender: string },
  configuration: Configuration,
): Explanation | undefined {
  const domain = createSigningRule().domainFor(mail, configuration);
  const problem = domain === undefined ? undefined : whyUnsigned(domain, context);
  if (domain === undefined || problem === undefined) return undefined;
  const because = [`${domain.domain} has message signing on`, `the mail cannot be signed: ${problem}`];
  return { dropped: { subType: "PROCESSING_FAILED" }, because };
}

async function explain(context: ApiContext, { account, from, to }: Question): Promise<Explanation | Problem> {
  const sender = readAddress(from);
  const senderDomain = parseAddress(sender?.address ?? "")?.domain ?? "";
  const configuration = await configured(context, account, senderDomain);
  if (configuration.account(account) === undefined) return notFound(`account ${account}`);
  if (sender === undefined) return badInput([{ path: "from", message: "no address" }]);
  if (configuration.domain(account, senderDomain) === undefined) {
    return badInput([{ path: "from", message: `${senderDomain} is no domain of account ${account}` }]);
  }
  const read = readAddress(to);
  const dropped = await dropOf(context, account, read);
  if (dropped !== undefined || read === undefined) return dropped ?? badInput([{ path: "to", message: "no address" }]);
  const question = { account, sender: sender.address, recipient: read.address };
  const found = route(question, configuration);
  const unsigned = found.kind === "mx" ? unsignedOf(context, question, configuration) : undefined;
  return unsigned ?? explained(found, context.settings.mxPort);
}

export function explainOperations(context: ApiContext): Operation[] {
  return [
    operation({
      method: "GET",
      path: "/v1/explain",
      tag: "Mails",
      summary: "Which way such a mail would take, and why",
      params: NOTHING,
      query: z.strictObject({
        account: z.string().min(1),
        from: z.string().min(1).describe("the envelope sender"),
        to: z.string().min(1).describe("the recipient"),
      }),
      body: NOTHING,
      answer: explanation,
      refusals: [404, 422, 503],
      handle: ({ query }) => explain(context, query),
    }),
  ];
}
