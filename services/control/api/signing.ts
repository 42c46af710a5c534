// What a sender domain may sign with (contract, Message Signing): each thing that is wrong with it is named at its field.
import { certificateFacts, signingProblems } from "#shared/signing/certificate.ts";
import type { SigningMaterial } from "#shared/signing/certificate.ts";
import type { Mistake } from "#shared/contracts/problem.ts";
import type { SenderDomain } from "#shared/routing/configuration.ts";
import { opened } from "./sealed.ts";
import type { ApiContext } from "./context.ts";

export const KEY_IS_LOST = "no known WAYPOST_SECRET_KEY opens the stored private key";

const WARN_BEFORE_MS = 30 * 24 * 3_600_000;

export function checkSigning(material: SigningMaterial, domain: string, now: Date): Mistake[] {
  return signingProblems(material, domain, now).map((message) => ({
    path: message.includes("private key") ? "signing.privateKey" : "signing.certificate",
    message,
  }));
}

/** Why mails that the domain is to sign cannot be signed, as the router finds; undefined where they can. */
export function whyUnsigned(
  { domain, signing }: SenderDomain,
  { sealer, clock }: Pick<ApiContext, "sealer" | "clock">,
): string | undefined {
  if (signing === undefined) return "message signing is on and no certificate is stored";
  const privateKey = opened(signing.privateKey, sealer);
  if (privateKey === undefined) return KEY_IS_LOST;
  const problems = signingProblems({ certificate: signing.certificate, privateKey }, domain, clock.now());
  return problems.length === 0 ? undefined : problems.join("; ");
}

export interface SigningView {
  subject: string;
  addresses: string[];
  notBefore: string;
  notAfter: string;
  warning?: string;
}

function warningOf(notAfter: Date, now: Date): { warning?: string } {
  const leftMs = notAfter.getTime() - now.getTime();
  if (leftMs <= 0) return { warning: "the certificate has expired: mails that it should sign are not sent" };
  if (leftMs > WARN_BEFORE_MS) return {};
  return { warning: `the certificate expires within 30 days, on ${notAfter.toISOString()}` };
}

export function viewSigning(certificate: string, now: Date): SigningView | undefined {
  const facts = certificateFacts(certificate);
  if (facts === undefined) return undefined;
  return {
    subject: facts.subject,
    addresses: [...facts.addresses],
    notBefore: facts.notBefore.toISOString(),
    notAfter: facts.notAfter.toISOString(),
    ...warningOf(facts.notAfter, now),
  };
}
