import { describe, expect, it } from "vitest";
import { mistakesOf } from "#shared/contracts/mistakes.ts";
import { hashPassword } from "#shared/passwords.ts";
import type { Account } from "#shared/routing/configuration.ts";
import { createSealer } from "#shared/secrets.ts";
import { accountMistakes, changedAccount, viewAccount } from "./account-change.ts";
import { accountInput, isSigningSecret } from "./account-input.ts";

const sealer = createSealer(Buffer.alloc(32, 7));
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async function put(body: object, before?: Account, by = sealer): Promise<{ document: Account; secrets: string[] }> {
  return changedAccount("acme", accountInput.parse({ customerNo: "1", ...body }), { before, sealer: by });
}

const WITH_SECRETS = {
  password: "first",
  notification: {
    url: "https://hooks.example.com/x",
    headers: { "X-Api-Key": "very secret", "X-Plain": "shown" },
    authentication: { method: "BASIC", user: "u", password: "endpoint password" },
    signingSecret: SECRET,
  },
};

it("has a serial for as long as it is there, and another one when it is made again", async () => {
  const { document } = await put({});
  const { document: replaced } = await put({ customerNo: "2" }, document);
  expect(replaced.serial).toBe(document.serial);
  expect((await put({})).document.serial).not.toBe(document.serial);
});

describe("an account's secrets", () => {
  it("are kept when they are absent", async () => {
    const { document } = await put(WITH_SECRETS);
    const { document: after, secrets } = await put(
      { notification: { url: "https://hooks.example.com/x", headers: { "X-Api-Key": "***", "X-Plain": "shown" } } },
      document,
    );
    expect(after).toEqual(document);
    expect(secrets).toEqual([]);
  });

  it("in headers that were stored in clear are kept by the mask, sealed from then on, and not shown", async () => {
    const { document } = await put(WITH_SECRETS);
    const headers = [{ name: "X-Api-Key", value: "in clear" }];
    const before = { ...document, notification: { url: "https://hooks.example.com/x", headers } };
    expect(viewAccount(before).notification?.headers).toEqual({ "X-Api-Key": "***" });
    const notification = { url: "https://hooks.example.com/x", headers: { "x-api-key": "***" } };
    const [after] = (await put({ notification }, before)).document.notification?.headers ?? [];
    expect(after?.isSealed).toBe(true);
    expect(sealer.open(after?.value ?? "")).toBe("in clear");
  });

  it("are removed by null", async () => {
    const { document } = await put(WITH_SECRETS);
    const notification = { url: "https://hooks.example.com/x", authentication: null, signingSecret: null };
    const { document: after } = await put({ password: null, notification }, document);
    expect(after.passwordHash).toBeUndefined();
    expect(after.notification).toEqual({ url: "https://hooks.example.com/x" });
  });

  it("stay the same documents when the same is said again", async () => {
    const { document } = await put(WITH_SECRETS);
    expect((await put(WITH_SECRETS, document)).document).toEqual(document);
  });

  it("are sealed under the new key by the next PUT after a rotation, given again or not, and then stay", async () => {
    const { document } = await put(WITH_SECRETS);
    const newKey = Buffer.alloc(32, 8);
    const rotated = createSealer(newKey, Buffer.alloc(32, 7));
    const headers = { "X-Api-Key": "***", "X-Plain": "shown" };
    for (const notification of [{ url: "https://hooks.example.com/x", headers }, WITH_SECRETS.notification]) {
      const { document: after } = await put({ notification }, document, rotated);
      const alone = createSealer(newKey);
      const { headers: [header] = [], authentication, signingSecret } = after.notification ?? {};
      const sealed = [header?.value, authentication?.password, signingSecret];
      expect(sealed.map((text) => alone.open(text ?? ""))).toEqual(["very secret", "endpoint password", SECRET]);
      expect((await put({ notification }, after, rotated)).document).toEqual(after);
    }
  });

  it("are kept as they are where their key is gone", async () => {
    const { document } = await put(WITH_SECRETS);
    const notification = { url: "https://hooks.example.com/x" };
    const { document: after } = await put({ notification }, document, createSealer(Buffer.alloc(32, 8)));
    expect(after.notification?.signingSecret).toBe(document.notification?.signingSecret);
  });

  it("are named when they change", async () => {
    const { document } = await put(WITH_SECRETS);
    const { secrets } = await put({ ...WITH_SECRETS, password: "second" }, document);
    expect(secrets).toEqual(["password"]);
  });

  it("are never shown", async () => {
    const { document } = await put(WITH_SECRETS);
    const shown = JSON.stringify(viewAccount(document));
    for (const secret of ["first", "very secret", "endpoint password", SECRET, "argon2id", "v1."]) {
      expect(shown).not.toContain(secret);
    }
    expect(shown).toContain("shown");
  });

  it("are kept as a hash or sealed", async () => {
    const { document } = await put(WITH_SECRETS);
    expect(document.passwordHash).toMatch(/^argon2id\./);
    expect(sealer.open(document.notification?.signingSecret ?? "")).toBe(SECRET);
    const [secret, plain] = document.notification?.headers ?? [];
    expect(secret).toEqual({ name: "X-Api-Key", value: expect.stringMatching(/^v1\./) as string, isSealed: true });
    expect(sealer.open(secret?.value ?? "")).toBe("very secret");
    expect(plain).toEqual({ name: "X-Plain", value: "shown" });
    expect(await hashPassword("first")).not.toBe(document.passwordHash);
  });
});

it("asks for the endpoint's password where none is stored", () => {
  const notification = { url: "https://h.example/x", authentication: { method: "BASIC", user: "u" } };
  expect(accountMistakes(accountInput.parse({ customerNo: "1", notification }), undefined)).toEqual([
    { path: "notification.authentication.password", message: "required" },
  ]);
});

it.each([
  [`whsec_${Buffer.alloc(24, 1).toString("base64")}`, true],
  [`whsec_${Buffer.alloc(64, 1).toString("base64")}`, true],
  [`whsec_${Buffer.alloc(23, 1).toString("base64")}`, false],
  [`whsec_${Buffer.alloc(65, 1).toString("base64")}`, false],
  [Buffer.alloc(24, 1).toString("base64"), false],
  [`whsec_${"*".repeat(32)}`, false],
  ["whsec_", false],
])("takes %s as a signing secret: %s", (text, expected) => {
  expect(isSigningSecret(text)).toBe(expected);
});

it("refuses half characters, which would be stored as other ones", () => {
  const authentication = { method: "BASIC", user: "\ud800", password: "\udfff" };
  const broken = { customerNo: "\ud800", tenant: "a\udfff", brokerUser: "\ud800b", password: "\ud800" };
  const { error } = accountInput.safeParse({ ...broken, notification: { url: "https://x.example", authentication } });
  const mistakes = error === undefined ? [] : mistakesOf(error);
  expect(new Set(mistakes.map(({ message }) => message))).toEqual(new Set(["not well-formed Unicode"]));
  expect(mistakes.map(({ path }) => path).toSorted()).toEqual([
    "brokerUser",
    "customerNo",
    "notification.authentication.password",
    "notification.authentication.user",
    "password",
    "tenant",
  ]);
});

describe("a notification's headers", () => {
  const url = "https://x.example";
  const pathsOf = (headers: object): readonly string[] => {
    const { error } = accountInput.safeParse({ customerNo: "1", notification: { url, headers } });
    return error === undefined ? [] : mistakesOf(error).map(({ path }) => path);
  };

  it.each([
    ["outside Latin-1", { "X-A": "日本" }, ["notification.headers.X-A"]],
    ["of Waypost's own", { Baggage: "a=b", TE: "x" }, ["notification.headers.Baggage", "notification.headers.TE"]],
    ["given twice", { "X-A": "1", "x-a": "2" }, ["notification.headers.x-a"]],
    ["no text", { "X-A": 1 }, ["notification.headers.X-A"]],
    ["no map", ["X-A"], ["notification.headers"]],
  ])("are refused where they are %s", (_, headers, paths) => expect(pathsOf(headers)).toEqual(paths));

  it("are stored where they can be sent", async () => {
    const headers = { "Content-Language": "de", "X-Long": "x".repeat(2_000), "X-Empty": "", "X-A": "Grüße" };
    const { document } = await put({ notification: { url, headers } });
    expect(document.notification?.headers).toEqual(Object.entries(headers).map(([name, value]) => ({ name, value })));
    expect((await put({ notification: { url, headers: {} } })).document.notification?.headers).toEqual([]);
  });
});

it("takes an endpoint's URL of 1,000 characters, whatever they take as UTF-16", async () => {
  const url = `https://x.example/${"😀".repeat(982)}`;
  expect((await put({ notification: { url } })).document.notification?.url).toBe(url);
});

it.each([
  ["sourceIps", ["192.0.2.1"]],
  ["sourceIps", ["10.0.0.0/33"]],
  ["sourceIps", ["10/8"]],
  ["dedicatedIp", "192.0.2"],
  ["dedicatedIp", "0x7f.1"],
  ["dedicatedIp", "0.0.0.0"],
  ["dedicatedIp", "fe80::1%eth0"],
  ["customerNo", ""],
  ["customerNo", "a\r\nb"],
  ["limits", { waitingMails: 0 }],
  ["limits", { jobsPerSecond: 0 }],
  ["notification", { url: "ftp://x.example" }],
  ["notification", { url: "https://u:p@x.example" }],
  ["notification", { url: "https:/x.example" }],
  ["notification", { url: " https://x.example" }],
  ["notification", { url: `https://x.example/${"a".repeat(1_000)}` }],
  ["notification", { url: "https://x.example", headers: { Host: "y" } }],
  ["notification", { url: "https://x.example", headers: { "Webhook-Id": "y" } }],
  ["notification", { url: "https://x.example", headers: { "X-A": "a\r\nb" } }],
  [
    "notification",
    {
      url: "https://x.example",
      headers: { Authorization: "y" },
      authentication: { method: "BASIC", user: "u", password: "p" },
    },
  ],
])("refuses %s %j", (key, value) => {
  expect(accountInput.safeParse({ customerNo: "1", [key]: value }).success).toBe(false);
});
