// Whether the stored secrets can be opened: after a restore under another WAYPOST_SECRET_KEY none can, and mails defer or are dropped.
import type { Account, Relay, SenderDomain } from "#shared/routing/configuration.ts";
import type { Sealer } from "#shared/secrets.ts";
import { wrongWith } from "./doctor-documents.ts";
import { opened } from "./sealed.ts";

export interface SecretHolders {
  accounts: readonly Account[];
  domains: readonly SenderDomain[];
  relays: readonly Relay[];
}

interface Holder {
  name: string;
  sealed: readonly (string | undefined)[];
}

function ofAccount({ _id, notification }: Account): Holder {
  const headers = notification?.headers?.filter(({ isSealed }) => isSealed === true) ?? [];
  return {
    name: `account ${_id}`,
    sealed: [
      notification?.authentication?.password,
      notification?.signingSecret,
      notification?.previousSigningSecret,
      ...headers.map(({ value }) => value),
    ],
  };
}

function ofDomain({ _id, signing, dkim }: SenderDomain): Holder {
  return { name: `domain ${_id}`, sealed: [signing?.privateKey, dkim?.privateKey] };
}

/** Names of what has a secret that no known key opens. What control did not write is looked at elsewhere (doctor-documents.ts). */
export function withLostSecrets(stored: SecretHolders, sealer: Sealer): string[] {
  const right = <T extends object>(name: keyof SecretHolders, documents: readonly T[]): T[] =>
    documents.filter((document) => wrongWith(name, document) === undefined);
  const holders: Holder[] = [
    ...right("accounts", stored.accounts).map((account) => ofAccount(account)),
    ...right("domains", stored.domains).map((domain) => ofDomain(domain)),
    ...right("relays", stored.relays).map(({ _id, auth }) => ({ name: `relay ${_id}`, sealed: [auth?.password] })),
  ];
  const isLost = (sealed: string | undefined): boolean => sealed !== undefined && opened(sealed, sealer) === undefined;
  return holders.filter(({ sealed }) => sealed.some(isLost)).map(({ name }) => name);
}
