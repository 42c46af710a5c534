// The DKIM key of a sender domain: made here, kept sealed, and the DNS record to publish for it (RFC 6376 §3.6.1).
import { createPrivateKey, createPublicKey, generateKeyPair } from "node:crypto";
import { isDeepStrictEqual, promisify } from "node:util";
import { z } from "zod";
import type { SenderDomain } from "#shared/routing/configuration.ts";
import { inTurn } from "#shared/store/changes.ts";
import { domainKey } from "#shared/store/configuration.ts";
import { opened, renewed } from "./sealed.ts";
import { KEY_IS_LOST } from "./signing.ts";
import type { ApiContext } from "./context.ts";
import { audited } from "./context.ts";
import { domainParams } from "./fields.ts";
import type { Operation } from "./operation.ts";
import { NOTHING, operation } from "./operation.ts";
import { conflict, notFound, Problem } from "./problem.ts";

const DEFAULT_SELECTOR = "waypost";
const KEY_BITS = 2_048;
const SELECTOR = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const makeKeyPair = promisify(generateKeyPair);

const dkimInput = z.strictObject({
  selector: z
    .string()
    .toLowerCase()
    .max(100)
    .regex(SELECTOR, { error: "a DNS label such as waypost" })
    .default(DEFAULT_SELECTOR),
  relayed: z.boolean().default(false).describe("relayed mails are signed too"),
});

export const dkimView = z
  .object({
    selector: z.string(),
    relayed: z.boolean(),
    dns: z.object({ name: z.string(), type: z.literal("TXT"), value: z.string() }).describe("the record to publish"),
  })
  .meta({ id: "Dkim" });

type Dkim = NonNullable<SenderDomain["dkim"]>;
type DkimView = z.output<typeof dkimView>;

async function makeKey(context: ApiContext): Promise<string> {
  const { privateKey } = await makeKeyPair("rsa", { modulusLength: KEY_BITS });
  return context.sealer.seal(privateKey.export({ type: "pkcs8", format: "pem" }).toString());
}

function viewDkim(context: ApiContext, domain: string, dkim: Dkim): DkimView | Problem {
  const privateKey = opened(dkim.privateKey, context.sealer);
  if (privateKey === undefined) return conflict(`${KEY_IS_LOST}; PUT makes another, with another record`);
  const publicKey = createPublicKey(createPrivateKey(privateKey));
  const encoded = publicKey.export({ type: "spki", format: "der" }).toString("base64");
  return {
    selector: dkim.selector,
    relayed: dkim.relayed,
    dns: { name: `${dkim.selector}._domainkey.${domain}`, type: "TXT", value: `v=DKIM1; k=rsa; p=${encoded}` },
  };
}

interface Named {
  account: string;
  domain: string;
}

const shown = (dkim: Dkim | undefined): object | undefined =>
  dkim === undefined ? undefined : { selector: dkim.selector, relayed: dkim.relayed };

/** Sets or removes the key of a domain; the same selector keeps the key that is there, unless nobody can open it. */
async function changeDkim(
  context: ApiContext,
  named: Named & { who: string },
  wanted: z.output<typeof dkimInput> | undefined,
): Promise<Dkim | Problem | undefined> {
  const { account, domain, who } = named;
  const fresh = wanted === undefined ? undefined : await makeKey(context);
  return inTurn(context.store, account, async (session) => {
    const stored = await context.domains.find(domainKey(account, domain), session);
    if (stored === undefined) return notFound(`domain ${domain} of account ${account}`);
    const { dkim: before, ...rest } = stored;
    if (wanted === undefined && before === undefined) return notFound(`DKIM key of ${domain}`);
    const isKept =
      before !== undefined &&
      before.selector === wanted?.selector &&
      opened(before.privateKey, context.sealer) !== undefined;
    const key = isKept ? renewed(before.privateKey, context.sealer) : (fresh ?? "");
    const after = wanted === undefined ? undefined : { ...wanted, privateKey: key };
    if (isDeepStrictEqual(before, after)) return before;
    await context.domains.write({ ...rest, ...(after === undefined ? {} : { dkim: after }) }, session);
    const change = { who, what: `dkim ${account}/${domain}`, account, from: shown(before), to: shown(after) };
    await audited(
      context,
      { ...change, secrets: before?.privateKey === after?.privateKey ? [] : ["privateKey"] },
      session,
    );
    return after;
  });
}

export function dkimOperations(context: ApiContext): Operation[] {
  const path = "/v1/accounts/:account/domains/:domain/dkim";
  const common = { path, tag: "Domains", params: domainParams, query: NOTHING } as const;
  return [
    operation({
      ...common,
      method: "PUT",
      summary: "Make the DKIM key of a domain",
      description: "Mails of the domain on the default route are signed. Another selector makes another key.",
      body: dkimInput,
      answer: dkimView,
      refusals: [404, 422],
      handle: async ({ params, body, who }) => {
        const dkim = await changeDkim(context, { ...params, who }, body);
        if (dkim === undefined || dkim instanceof Problem) return dkim ?? notFound("key");
        return viewDkim(context, params.domain, dkim);
      },
    }),
    operation({
      ...common,
      method: "GET",
      summary: "Show the DKIM record of a domain",
      body: NOTHING,
      answer: dkimView,
      refusals: [404, 409],
      handle: async ({ params }) => {
        const stored = await context.domains.find(domainKey(params.account, params.domain));
        if (stored?.dkim === undefined) return notFound(`DKIM key of ${params.domain} in account ${params.account}`);
        return viewDkim(context, params.domain, stored.dkim);
      },
    }),
    operation({
      ...common,
      method: "DELETE",
      summary: "Remove the DKIM key of a domain",
      body: NOTHING,
      answer: z.object({ removed: z.literal(true) }),
      refusals: [404],
      handle: async ({ params, who }) => {
        const removed = await changeDkim(context, { ...params, who }, undefined);
        return removed instanceof Problem ? removed : { removed: true as const };
      },
    }),
  ];
}
