// After a rotation of WAYPOST_SECRET_KEY a PUT seals under the new key what it keeps: then the previous key can go.
import { afterAll, beforeAll, expect, it } from "vitest";
import { createLog } from "#shared/log.ts";
import type { SenderDomain } from "#shared/routing/configuration.ts";
import { createSealer } from "#shared/secrets.ts";
import type { Store } from "#shared/store/connection.ts";
import { connectStore } from "#shared/store/connection.ts";
import { issueCertificate } from "#test/support/signing-certificate.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";
import type { TestAccount } from "#test/support/system-client.ts";

const [PREVIOUS, CURRENT, UNKNOWN] = [Buffer.alloc(32, 3), Buffer.alloc(32, 5), Buffer.alloc(32, 9)];

let system: System;
let store: Store;
let account: TestAccount;
/** In clear. */
let keys: string[];

beforeAll(async () => {
  const [WAYPOST_SECRET_KEY, WAYPOST_SECRET_KEY_PREVIOUS] = [CURRENT.toString("base64"), PREVIOUS.toString("base64")];
  system = await startSystem({ services: ["control"], env: { WAYPOST_SECRET_KEY, WAYPOST_SECRET_KEY_PREVIOUS } });
  store = connectStore(system.mongodbUri, createLog("test", "silent"));
  account = await system.account();
  const signing = await issueCertificate({ address: account.sender });
  await system.control.put(path(), { messageSigning: true, signing });
  await system.control.put(`${path()}/dkim`, {});
  keys = (await storedKeys()).map((sealed) => createSealer(CURRENT).open(sealed));
});
afterAll(async () => {
  await store.close();
  await system.stop();
});

const path = (): string => `/v1/accounts/${account.name}/domains/${account.domain}`;

async function storedKeys(): Promise<string[]> {
  const found = await store.collection<SenderDomain>("domains").findOne({ domain: account.domain });
  return [found?.signing?.privateKey ?? "", found?.dkim?.privateKey ?? ""];
}

/** As a system of that key would have stored them. */
async function sealUnder(key: Buffer): Promise<void> {
  const [signing, dkim] = keys;
  const sealer = createSealer(key);
  const $set = { "signing.privateKey": sealer.seal(signing ?? ""), "dkim.privateKey": sealer.seal(dkim ?? "") };
  await store.db.collection("domains").updateOne({ domain: account.domain }, { $set });
}

const areCurrent = async (): Promise<boolean[]> =>
  (await storedKeys()).map((sealed) => createSealer(CURRENT).isCurrent(sealed));

it("seals a domain's private keys anew where it keeps them, and its DKIM key without another record", async () => {
  const record = (await system.control.get(`${path()}/dkim`)).body;
  await sealUnder(PREVIOUS);
  expect(await areCurrent()).toEqual([false, false]);
  expect((await system.control.put(`${path()}/dkim`, {})).body).toEqual(record);
  expect(await areCurrent()).toEqual([false, true]);
  expect((await system.control.put(path(), { messageSigning: true })).status).toBe(200);
  expect(await areCurrent()).toEqual([true, true]);
  await sealUnder(PREVIOUS);
  expect((await system.control.put(path(), { messageSigning: true })).status).toBe(200);
  expect(await areCurrent()).toEqual([true, true]);
});

it("says of a key that nobody can open any more that it is to be sent again", async () => {
  await sealUnder(UNKNOWN);
  const { status, body } = await system.control.put(path(), { messageSigning: true });
  expect({ status, body }).toMatchObject({ status: 422, body: { errors: [{ path: "signing.privateKey" }] } });
  const query = new URLSearchParams({ account: account.name, from: account.sender, to: "a@b.example" });
  const explained = await system.control.get(`/v1/explain?${query.toString()}`);
  expect(explained.body).toMatchObject({ dropped: { subType: "PROCESSING_FAILED" } });
});

it("says of a DKIM key that nobody can open any more that another is to be made, and makes it", async () => {
  await sealUnder(CURRENT);
  const { dns } = (await system.control.get<{ dns: object }>(`${path()}/dkim`)).body;
  await sealUnder(UNKNOWN);
  const { status, body } = await system.control.get<{ detail: string }>(`${path()}/dkim`);
  expect({ status, detail: body.detail }).toEqual({
    status: 409,
    detail: expect.stringContaining("PUT makes another"),
  });
  const made = await system.control.put<{ dns: object }>(`${path()}/dkim`, {});
  expect(made.status).toBe(200);
  expect(made.body.dns).not.toEqual(dns);
});
