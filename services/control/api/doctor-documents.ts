// Whether the documents of the configuration are as control writes them. Who changes them by hand, past control, finds here which
// one nothing can be done with: mails of others flow, but a list that holds it is answered with 500.
import { z } from "zod";
import { TLS_MODES } from "#shared/routing/configuration.ts";
import { CONFIGURATION_COLLECTIONS, domainKey } from "#shared/store/configuration.ts";
import type { Store } from "#shared/store/connection.ts";
import { guardLong } from "#shared/store/connection.ts";

const account = z.object({
  _id: z.string(),
  customerNo: z.string(),
  passwordHash: z.string().optional(),
  sourceIps: z.array(z.string()),
  brokerUser: z.string().optional(),
  notification: z
    .object({ url: z.string(), headers: z.array(z.object({ name: z.string(), value: z.string() })).optional() })
    .optional(),
  limits: z.object({ jobsPerSecond: z.number().optional(), waitingMails: z.number() }),
});

const named = { _id: z.string(), account: z.string(), domain: z.string() };
const isKey = (document: { _id: string; account: string; domain: string }): boolean =>
  document._id === domainKey(document.account, document.domain);
const KEY = { path: ["_id"], error: "it should be <account>/<domain>" };

const domain = z
  .object({
    ...named,
    messageSigning: z.boolean(),
    signing: z.object({ certificate: z.string(), privateKey: z.string() }).optional(),
    dkim: z.object({ selector: z.string(), privateKey: z.string(), relayed: z.boolean() }).optional(),
  })
  .refine(isKey, KEY);

const relay = z
  .object({
    ...named,
    host: z.string(),
    port: z.int(),
    senders: z.array(z.string()),
    tls: z.enum(TLS_MODES),
    auth: z.object({ user: z.string(), password: z.string() }).optional(),
    maxConnections: z.int().positive(),
    enabled: z.boolean(),
    held: z.boolean(),
    resumedCount: z.int(),
  })
  .refine(isKey, KEY);

const SCHEMAS = { accounts: account, domains: domain, relays: relay };
type CollectionName = keyof typeof SCHEMAS;
const MOST_MISTAKES = 3;

/** What is wrong with a document, or undefined. */
export function wrongWith(name: CollectionName, document: object): string | undefined {
  const mistakes = SCHEMAS[name].safeParse(document).error?.issues.slice(0, MOST_MISTAKES);
  return mistakes?.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
}

export interface WrongDocument {
  collection: string;
  id: string;
  wrong: string;
}

/** Those that nothing can be done with. Throws StoreUnavailable. */
export async function wrongDocuments(store: Store): Promise<WrongDocument[]> {
  const names = Object.keys(SCHEMAS) as CollectionName[];
  const found = await Promise.all(
    names.map(async (name) => {
      const collection = CONFIGURATION_COLLECTIONS[name];
      const documents = await guardLong(() => store.collection(collection).find().toArray());
      return documents.map((document) => ({
        collection,
        id: String(document._id),
        wrong: wrongWith(name, document),
      }));
    }),
  );
  return found.flat().flatMap(({ wrong, ...rest }) => (wrong === undefined ? [] : [{ ...rest, wrong }]));
}
