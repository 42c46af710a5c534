// Signs the mails of a job whose sender domain has message signing on (contract, Message Signing). The signature covers what all
// mails of a job share, so it is made once a job; delivery puts it around the message. What cannot be signed is not sent.
import { LRUCache } from "lru-cache";
import type { Clock } from "#shared/clock.ts";
import type { JobMessage } from "#shared/contracts/mail.ts";
import { trackedMailOf } from "#shared/contracts/outgoing.ts";
import { WaypostError } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import type { Configuration, SenderDomain } from "#shared/routing/configuration.ts";
import type { Sealer } from "#shared/secrets.ts";
import type { CertificateFacts, SigningMaterial } from "#shared/signing/certificate.ts";
import { certificateFacts, materialProblems, validityProblem } from "#shared/signing/certificate.ts";
import type { Signer } from "#shared/signing/cms.ts";
import { createSigner } from "#shared/signing/cms.ts";
import type { Signature } from "#shared/signing/multipart-signed.ts";
import { boundaryOf, digestOf } from "#shared/signing/multipart-signed.ts";
import { createSigningRule } from "#shared/signing/signing-rule.ts";
import { inTraceOf } from "#shared/telemetry/propagate.ts";
import { createTurns } from "#shared/turns.ts";
import type { MailFate } from "./split.ts";

export interface SigningPorts {
  sealer: Sealer;
  clock: Clock;
  log: Log;
  /** The shared bytes of a job, where they did not travel with it. */
  readContent(job: JobMessage, inline: Buffer): AsyncIterable<Buffer>;
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

const DOMAINS_KEPT = 500;
/** 32 bytes each: mails of one job that are routed again one by one read its content once. */
const DIGESTS_KEPT = 2_000;

/** What does not change of a domain's signing material, looked at once. */
interface Prepared {
  problems: readonly string[];
  facts: CertificateFacts | undefined;
  signer: Signer | undefined;
}

function prepare({ domain }: SenderDomain, material: SigningMaterial): Prepared {
  const problems = materialProblems(material, domain);
  const facts = certificateFacts(material.certificate);
  return { problems, facts, signer: problems.length > 0 ? undefined : createSigner(material) };
}

export function createJobSigner(ports: SigningPorts): JobSigner {
  const known = new LRUCache<string, Prepared>({ max: DOMAINS_KEPT });
  const rule = createSigningRule();
  const digests = new LRUCache<string, Buffer>({ max: DIGESTS_KEPT });
  // Of contents that are read from the store, a router holds one piece at a time.
  const inTurn = createTurns();

  const preparedOf = (domain: SenderDomain, signing: NonNullable<SenderDomain["signing"]>): Prepared => {
    const { certificate } = signing;
    const key = `${domain._id} ${signing.privateKey} ${certificate}`;
    const found = known.get(key) ?? prepare(domain, { certificate, privateKey: ports.sealer.open(signing.privateKey) });
    known.set(key, found);
    return found;
  };

  const digestOfStored = async (id: string, job: JobToSign): Promise<Buffer> => {
    const digest = digests.get(id) ?? (await digestOf(ports.readContent(job.message, job.content)));
    digests.set(id, digest);
    return digest;
  };

  const digestOfJob = async (job: JobToSign): Promise<Buffer> => {
    const { content } = job.message;
    if (content.kind !== "stored") return digestOf(ports.readContent(job.message, job.content));
    return digests.get(content.id) ?? inTurn(() => digestOfStored(content.id, job));
  };

  const signatureOf = async (job: JobToSign, domain: SenderDomain): Promise<Signature | { problem: string }> => {
    const { signing } = domain;
    if (signing === undefined) return { problem: "message signing is on and no certificate is stored" };
    const now = ports.clock.now();
    const { problems, facts, signer } = preparedOf(domain, signing);
    const untimely = facts === undefined ? undefined : validityProblem(facts, now);
    if (untimely !== undefined || signer === undefined) {
      return { problem: [...(untimely === undefined ? [] : [untimely]), ...problems].join("; ") };
    }
    const digest = await digestOfJob(job);
    const der = await signer.sign(digest, now);
    return { der: der.toString("base64"), boundary: boundaryOf(digest) };
  };

  return {
    sign: async (fates, job, configuration) => {
      const domain = rule.domainFor(job.message.head, configuration);
      const takesMx = fates.some((fate) => fate.kind === "routed" && fate.route.kind === "mx");
      if (domain === undefined || !takesMx) return fates;
      const signature = await signatureOf(job, domain).catch((error: unknown) => problemOf(error));
      if ("problem" in signature) {
        ports.countUnsigned();
        const facts = { domain: domain._id, problem: signature.problem };
        inTraceOf(job.message.head.traceparent, () => ports.log.error(facts, "signing.failed"));
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
  return {
    kind: "failed",
    mail: trackedMailOf(fate.mail),
    reason: `the mail cannot be signed: ${signature.problem}`,
  };
}
