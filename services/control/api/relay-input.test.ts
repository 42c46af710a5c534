import { expect, it } from "vitest";
import { createSealer } from "#shared/secrets.ts";
import type { StoredRelay } from "#shared/store/relays.ts";
import type { Sealer } from "#shared/secrets.ts";
import { changedRelay, relayInput } from "./relay-input.ts";

function put(body: object, before: StoredRelay | undefined, sealer: Sealer): StoredRelay {
  const stored = { account: "acme", domain: "acme.example", before, sealer, now: new Date(0), waiting: undefined };
  return changedRelay(relayInput.parse({ host: "relay.example.net", ...body }), stored);
}

it.each([{}, { auth: { user: "u" } }, { auth: { user: "u", password: "very secret" } }])(
  "seals a relay's password under the new key by the next PUT after a rotation: %j",
  (body) => {
    const [oldKey, newKey] = [Buffer.alloc(32, 7), Buffer.alloc(32, 8)];
    const before = put({ auth: { user: "u", password: "very secret" } }, undefined, createSealer(oldKey));
    const rotated = createSealer(newKey, oldKey);
    const after = put(body, before, rotated);
    expect(createSealer(newKey).open(after.auth?.password ?? "")).toBe("very secret");
    expect(put(body, after, rotated)).toEqual(after);
  },
);
