// The collection `domains`: an account's sender domains. Written by control alone.
import type { SenderDomain } from "#shared/routing/configuration.ts";
import { CONFIGURATION_COLLECTIONS } from "./configuration.ts";
import type { Store } from "./connection.ts";
import type { Documents } from "./documents.ts";
import { createDocuments } from "./documents.ts";

export type Domains = Documents<SenderDomain>;

export function createDomains(store: Store): Domains {
  return createDocuments<SenderDomain>(store, CONFIGURATION_COLLECTIONS.domains);
}
