// Which mails of the default route are to be signed (contract, Message Signing): asked by the router, which signs, and by
// delivery at the start of an attempt, for the domain may have begun to sign while the mail waited.
import { LRUCache } from "lru-cache";
import type { JobHead } from "#shared/contracts/mail.ts";
import type { Configuration, SenderDomain } from "#shared/routing/configuration.ts";
import { domainOf } from "#shared/email/domain-name.ts";
import type { CertificateFacts } from "./certificate.ts";
import { certificateFacts, covers } from "./certificate.ts";

export interface SigningRule {
  /** The domain that must sign this job's mails, whether it can or not; undefined where they go as they are. */
  domainFor(head: Pick<JobHead, "account" | "sender" | "messageSigning">, at: Configuration): SenderDomain | undefined;
}

const CERTIFICATES_KEPT = 500;

export function createSigningRule(): SigningRule {
  const known = new LRUCache<string, { facts: CertificateFacts | undefined }>({ max: CERTIFICATES_KEPT });

  /** A certificate that is missing or cannot be read covers every sender: what it should have signed is not sent. */
  const isCovered = ({ signing }: SenderDomain, sender: string): boolean => {
    if (signing === undefined) return true;
    const { facts } = known.get(signing.certificate) ?? { facts: certificateFacts(signing.certificate) };
    known.set(signing.certificate, { facts });
    return facts === undefined || covers(facts, sender);
  };

  return {
    domainFor: ({ account, sender, messageSigning }, at) => {
      if (messageSigning === false) return undefined;
      const domain = at.domain(account, domainOf(sender) ?? "");
      return domain?.messageSigning === true && isCovered(domain, sender) ? domain : undefined;
    },
  };
}
