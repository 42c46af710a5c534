// Signs the mails of a job whose sender domain has message signing on (contract, Message Signing). The signature covers what all
// mails of a job share, so it is made once a job; delivery puts it around the message. What cannot be signed is not sent.
import { domainToASCII } from "node:url";
import { LRUCache } from "lru-cache";
import type { Clock } from "#shared/clock.ts";
import type { JobMessage } from "#shared/contracts/mail.ts";
import { WaypostError } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import type { Configuration, SenderDomain } from "#shared/routing/configuration.ts";
import type { Sealer } from "#shared/secrets.ts";
import type { SigningMaterial } from "#shared/signing/certificate.ts";
import { certificateFacts, covers, signingProblems } from "#shared/signing/certificate.ts";
import type { Signer } from "#shared/signing/cms.ts";
import { createSigner } from "#shared/signing/cms.ts";
import type { Signature } from "#shared/signing/multipart-signed.ts";
import { boundaryOf, digestOf, splitForSigning } from "#shared/signing/multipart-signed.ts";
import type { MailFate } from "./split.ts";

export interface SigningPorts {
  sealer: Sealer;
  clock: Clock;
  log: Log;
  /** The shared bytes of a job, where they did not travel with it. */
  readContent(job: JobMessage, inline: Buffer): Promise<Buffer>;
  /** Jobs whose mails were not sent because they could not be signed. */
  countUnsigned(): void;
}

export interface JobSigner {
  /** The same fates, the mails of the default route signed where the sender domain wants it and its certificate covers the sender. */
  sign(fates: readonly MailFate[], job: JobToSign, configuration: Configuration): Promise<readonly MailFate[]>;
}

export interface JobToSign {
  message: JobMessage;
  content: Buffer;
}

const SIGNERS_KEPT = 500;

/** The domain whose certificate signs this job, or undefined where nothing is to be signed. */
export function signingDomainOf({ head }: JobMessage, configuration: Configuration): SenderDomain | undefined {
  if (head.messageSigning === false) return undefined;
  const domain = domainToASCII(head.sender.slice(head.sender.lastIndexOf("@") + 1)).toLowerCase();
  const found = configuration.domain(head.account, domain);
  return found?.messageSigning === true ? found : undefined;
}

export function createJobSigner(ports: SigningPorts): JobSigner {
  const signers = new LRUCache<string, Promise<Signer>>({ max: SIGNERS_KEPT });
  const signerOf = (material: SigningMaterial): Promise<Signer> => {
    const known = signers.get(material.certificate);
    if (known !== undefined) return known;
    const made = createSigner(material);
    signers.set(material.certificate, made);
    return made;
  };

  const signatureOf = async (
    job: JobToSign,
    domain: SenderDomain,
  ): Promise<Signature | { problem: string } | undefined> => {
    const { signing } = domain;
    if (signing === undefined) return { problem: "message signing is on and no certificate is stored" };
    const facts = certificateFacts(signing.certificate);
    if (facts !== undefined && !covers(facts, job.message.head.sender)) return undefined;
    const material = { certificate: signing.certificate, privateKey: ports.sealer.open(signing.privateKey) };
    const now = ports.clock.now();
    const problems = signingProblems(material, domain.domain, now);
    if (problems.length > 0) return { problem: problems.join("; ") };
    const content = await ports.readContent(job.message, job.content);
    const { entity } = splitForSigning(Buffer.alloc(0), content);
    const digest = digestOf(entity);
    const der = await (await signerOf(material)).sign(digest, now);
    return { der: der.toString("base64"), boundary: boundaryOf(digest) };
  };

  return {
    sign: async (fates, job, configuration) => {
      const domain = signingDomainOf(job.message, configuration);
      const takesMx = fates.some((fate) => fate.kind === "routed" && fate.route.kind === "mx");
      if (domain === undefined || !takesMx) return fates;
      const signature = await signatureOf(job, domain).catch((error: unknown) => problemOf(error));
      if (signature === undefined) return fates;
      if ("problem" in signature) {
        ports.countUnsigned();
        ports.log.error({ domain: domain._id, problem: signature.problem }, "signing.failed");
      }
      return fates.map((fate) => signedFate(fate, signature));
    },
  };
}

/** What keeps a message from being signed for good; faults of backing services are thrown on: they are tried again. */
function problemOf(error: unknown): { problem: string } {
  if (error instanceof WaypostError && !error.retriable) return { problem: error.message };
  throw error;
}

function signedFate(fate: MailFate, signature: Signature | { problem: string }): MailFate {
  if (fate.kind !== "routed" || fate.route.kind !== "mx") return fate;
  if (!("problem" in signature)) return { ...fate, mail: { ...fate.mail, signature } };
  const { head, mailId, email, recipient, messageId } = fate.mail;
  return {
    kind: "failed",
    mail: { head, mailId, email, recipient, messageId },
    reason: `the mail cannot be signed: ${signature.problem}`,
  };
}
