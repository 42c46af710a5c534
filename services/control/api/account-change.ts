// What an account becomes by a PUT: pure but for hashing, sealing and the serial of a new one. An absent secret is kept, null removes it.
import { randomUUID } from "node:crypto";
import { hashPassword, matchesHash } from "#shared/passwords.ts";
import type { Account, EndpointSettings } from "#shared/routing/configuration.ts";
import type { Sealer } from "#shared/secrets.ts";
import type { AccountInput, AccountView, NotificationInput } from "./account-input.ts";
import { MASK } from "./account-input.ts";
import type { NamedValue } from "#shared/contracts/named-values.ts";
import type { Mistake } from "#shared/contracts/problem.ts";
import { present } from "./present.ts";
import type { Secret } from "./sealed.ts";
import { kept, renewed, resealed, sealedAs } from "./sealed.ts";

export interface Changed<T> {
  document: T;
  /** Names of the secrets that were set, replaced or removed. */
  secrets: string[];
}

async function passwordHash(given: Secret, before: string | undefined): Promise<string | undefined> {
  if (given === undefined) return before;
  if (given === null) return undefined;
  return before !== undefined && (await matchesHash(given, before)) ? before : hashPassword(given);
}

const SECRET_HEADER = /auth|key|token|secret|password|signature|cookie|credential/i;

type StoredHeaders = NonNullable<EndpointSettings["headers"]>;

/** The mask keeps what is stored, and seals it where it was stored in clear. */
function headersOf(given: readonly NamedValue[], before: StoredHeaders | undefined, sealer: Sealer): StoredHeaders {
  const stored = new Map(before?.map((header) => [header.name.toLowerCase(), header]));
  return given.map(({ name, value }) => {
    const known = stored.get(name.toLowerCase());
    const sealed = known?.isSealed === true ? known.value : undefined;
    if (value === MASK && sealed !== undefined) return { name, value: renewed(sealed, sealer), isSealed: true };
    const clear = value === MASK ? (known?.value ?? value) : value;
    return SECRET_HEADER.test(name)
      ? { name, value: sealedAs(clear, sealed, sealer), isSealed: true }
      : { name, value: clear };
  });
}

function authenticationOf(
  given: NotificationInput["authentication"],
  before: EndpointSettings["authentication"],
  sealer: Sealer,
): EndpointSettings["authentication"] {
  if (given === undefined) return kept(before, "password", sealer);
  if (given === null || given.password === null) return undefined;
  const password = resealed(given.password, before?.password, sealer);
  return password === undefined ? undefined : { method: "BASIC", user: given.user, password };
}

function notificationOf(
  given: NotificationInput,
  before: EndpointSettings | undefined,
  sealer: Sealer,
): EndpointSettings {
  const authentication = authenticationOf(given.authentication, before?.authentication, sealer);
  const signingSecret = resealed(given.signingSecret, before?.signingSecret, sealer);
  const previousSigningSecret = resealed(given.previousSigningSecret, before?.previousSigningSecret, sealer);
  return {
    url: given.url,
    ...(given.headers === undefined ? {} : { headers: headersOf(given.headers, before?.headers, sealer) }),
    ...present({ authentication, signingSecret, previousSigningSecret }),
  };
}

/** What only the stored account shows to be missing. */
export function accountMistakes(input: AccountInput, before: Account | undefined): Mistake[] {
  const given = input.notification?.authentication;
  const isMissing =
    given !== undefined &&
    given !== null &&
    given.password === undefined &&
    before?.notification?.authentication === undefined;
  return isMissing ? [{ path: "notification.authentication.password", message: "required" }] : [];
}

export async function changedAccount(
  name: string,
  input: AccountInput,
  stored: { before: Account | undefined; sealer: Sealer },
): Promise<Changed<Account>> {
  const { before, sealer } = stored;
  const hash = await passwordHash(input.password, before?.passwordHash);
  const notification =
    input.notification === undefined ? undefined : notificationOf(input.notification, before?.notification, sealer);
  const { jobsPerSecond, waitingMails } = input.limits;
  const document: Account = {
    _id: name,
    ...present({ serial: before === undefined ? randomUUID() : before.serial }),
    customerNo: input.customerNo,
    ...present({ tenant: input.tenant, passwordHash: hash }),
    sourceIps: input.sourceIps ?? [],
    ...present({ dedicatedIp: input.dedicatedIp, brokerUser: input.brokerUser, notification }),
    limits: { ...present({ jobsPerSecond }), waitingMails },
    ...present({ removedAt: before?.removedAt }),
  };
  return { document, secrets: changedSecrets(document, before) };
}

function changedSecrets(after: Account, before: Account | undefined): string[] {
  const secrets: Record<string, (account: Account | undefined) => unknown> = {
    password: (account) => account?.passwordHash,
    "notification.headers": (account) => JSON.stringify(account?.notification?.headers),
    "notification.authentication.password": (account) => account?.notification?.authentication?.password,
    "notification.signingSecret": (account) => account?.notification?.signingSecret,
    "notification.previousSigningSecret": (account) => account?.notification?.previousSigningSecret,
  };
  return Object.entries(secrets)
    .filter(([, read]) => read(after) !== read(before))
    .map(([name]) => name);
}

function notificationView(notification: EndpointSettings): NonNullable<AccountView["notification"]> {
  const { url, headers, authentication } = notification;
  return {
    url,
    ...(headers === undefined
      ? {}
      : {
          headers: Object.fromEntries(
            headers.map(({ name, value, isSealed }) => [
              name,
              isSealed === true || SECRET_HEADER.test(name) ? MASK : value,
            ]),
          ),
        }),
    ...(authentication === undefined ? {} : { authentication: { method: "BASIC", user: authentication.user } }),
    hasSigningSecret: notification.signingSecret !== undefined,
    hasPreviousSigningSecret: notification.previousSigningSecret !== undefined,
  };
}

export function viewAccount(account: Account): AccountView {
  const { tenant, dedicatedIp, brokerUser, notification, removedAt } = account;
  return {
    account: account._id,
    customerNo: account.customerNo,
    ...present({ tenant }),
    hasPassword: account.passwordHash !== undefined,
    sourceIps: [...account.sourceIps],
    ...present({ dedicatedIp, brokerUser }),
    ...(notification === undefined ? {} : { notification: notificationView(notification) }),
    limits: { ...account.limits },
    state: removedAt === undefined ? "active" : "leaving",
    ...(removedAt === undefined ? {} : { removedAt: removedAt.toISOString() }),
  };
}
