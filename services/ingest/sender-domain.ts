// The sender's domain must be one of the account's: a mistake like any other (operator contract, REST submission).
import { z } from "zod";
import { senderAddress } from "#shared/contracts/job-request-fields.ts";
import type { Mistake } from "#shared/contracts/problem.ts";
import { parseMailbox } from "#shared/email/address.ts";
import { domainOf } from "#shared/email/domain-name.ts";
import type { Account } from "#shared/routing/configuration.ts";
import type { Confirmable } from "#shared/routing/find-confirmed.ts";
import { findConfirmed } from "#shared/routing/find-confirmed.ts";

/** What is wrong with a sender's bare address: nothing, or that it isn't the account's. */
export async function mistakesOfSender(
  configuration: Confirmable,
  account: Account,
  address: string,
): Promise<Mistake[]> {
  const domain = domainOf(address);
  const isOwn =
    domain !== undefined && (await findConfirmed(configuration, (current) => current.domain(account._id, domain)));
  return isOwn ? [] : [{ path: "mail.from.email", message: `not a sender domain of the account ${account._id}` }];
}

const withSender = z.object({ mail: z.object({ from: z.object({ email: senderAddress.shape.email }) }) });

/** The same of a JobRequest that has other mistakes, and so may have no sender at all: its schema has named that. */
export async function mistakesOfSenderIn(
  configuration: Confirmable,
  account: Account,
  body: unknown,
): Promise<Mistake[]> {
  const { success, data } = withSender.safeParse(body);
  return success ? mistakesOfSender(configuration, account, parseMailbox(data.mail.from.email).address) : [];
}
