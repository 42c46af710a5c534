import { expect, it } from "vitest";
import type { Delivery } from "#shared/broker/actor.ts";
import { systemClock } from "#shared/clock.ts";
import type { Attempt } from "#shared/contracts/attempt.ts";
import type { MailMessage } from "#shared/contracts/mail.ts";
import { StoreUnavailable } from "#shared/errors.ts";
import type { Configuration, Relay } from "#shared/routing/configuration.ts";
import { relayLaneName } from "#shared/routing/lane.ts";
import { createSigningRule } from "#shared/signing/signing-rule.ts";
import type { ClaimAnswer } from "#shared/store/ledger.ts";
import { aConfiguration, aHead, aMail, anAttempt, aRelay } from "#test/support/build-mail.ts";
import { Bodies } from "./bodies.ts";
import type { DeliverPorts } from "./deliver-mail.ts";
import { deliverMail } from "./deliver-mail.ts";
import type { Place } from "./destination.ts";
import { Destination } from "./destination.ts";
import type { LaneRunner } from "./lane-runner.ts";
import { createDeliveryMetrics } from "./metrics.ts";

const RELAY = aRelay();
const DELIVERED = anAttempt({ result: { status: "accepted", enhancedStatus: "2.0.0", text: "250 ok" } });
const NAME = relayLaneName(RELAY.account, RELAY.domain);

interface Scene {
  configuration: Configuration;
  /** What the ledger answers; undefined where nothing is known. */
  outcome: Attempt | undefined;
  claim: ClaimAnswer;
  nowMs: number;
  isFresh: boolean;
  /** What was asked of the ledger, and the attempts. */
  steps: string[];
  isClaimLost: boolean;
  isDeliveryLost: boolean;
  /** Thrown by the attempt. */
  bug: Error | undefined;
  /** Known here and not yet written. */
  unrecorded: Attempt | undefined;
  destination: Destination;
  bodies: DeliverPorts["bodies"];
  deliver(changes?: Partial<MailMessage>, suspect?: boolean): Promise<string>;
}

/** One lane of a relay with a single connection. What is delivered is told by its exchange, with what the mail carries. */
function setUp(): Scene {
  const scene: Scene = {
    configuration: configured(),
    outcome: undefined,
    claim: "claimed",
    nowMs: 1_000_000,
    isFresh: true,
    steps: [],
    isClaimLost: false,
    isDeliveryLost: false,
    bug: undefined,
    unrecorded: undefined,
    destination: new Destination({ clock: systemClock, connections: () => 1, onChange: () => undefined }),
    bodies: new Bodies(async () => Buffer.from("hello")),
    deliver: async (changes = {}, suspect = false) => {
      const deadline = new Date(Date.now() + 3_600_000).toISOString();
      const mail = aMail({ head: aHead({ deadline }), lane: NAME, ...changes });
      const isLost = (): boolean => scene.isDeliveryLost;
      const delivery = { message: mail, content: Buffer.alloc(5), suspect, isLost } as Delivery<MailMessage>;
      const verdict = await deliverMail(portsOf(scene), runner, delivery);
      if (verdict.kind === "park") return `parked: ${verdict.reason.split("\n")[0]}`;
      const [next] = verdict.publish;
      const { putBack } = (next?.body ?? {}) as Partial<MailMessage>;
      return `${next?.exchange}${putBack === true ? " put back" : ""}`;
    },
  };
  const lane = { kind: "relay", name: NAME, account: RELAY.account, domain: RELAY.domain } as const;
  const runner = { lane, destination: () => scene.destination } as unknown as LaneRunner;
  return scene;
}

/** The only place there is. */
async function takePlace({ destination }: Scene): Promise<Place> {
  const place = await destination.enter("interactive");
  if (place === "put-back") throw new Error("the relay is suspended");
  return place;
}

const configured = (changes: Partial<Relay> = {}): Configuration => aConfiguration({ relays: [aRelay(changes)] });

function portsOf(scene: Scene): DeliverPorts {
  const ask = <T>(step: string, answer: T): T => {
    scene.steps.push(step);
    return answer;
  };
  return {
    configuration: {
      current: () => scene.configuration,
      get isFresh() {
        return scene.isFresh;
      },
    } as DeliverPorts["configuration"],
    ledger: { outcomeOf: async () => ask("asks", scene.outcome) } as unknown as DeliverPorts["ledger"],
    clock: systemClock,
    steady: { ...systemClock, nowMs: () => scene.nowMs, sleep: async (ms) => void (scene.nowMs += ms) },
    metrics: createDeliveryMetrics(),
    attempts: {
      nextOwner: () => "owner",
      unrecorded: () => scene.unrecorded,
      claim: async () => ask("claims", scene.claim),
      make: async () => {
        if (scene.bug !== undefined) throw scene.bug;
        return ask("sends", scene.isClaimLost ? { kind: "claim-lost" } : { kind: "made", attempt: DELIVERED });
      },
    } as unknown as DeliverPorts["attempts"],
    signing: createSigningRule(),
    bodies: scene.bodies,
  };
}

it("an ordinary mail that finds its place at once is sent without a question", async () => {
  const scene = setUp();
  expect(await scene.deliver()).toBe("waypost.events");
  expect(scene.steps).toEqual(["sends"]);
});

it("a mail whose body was long on its way is claimed first, and by then its relay may be held", async () => {
  const scene = setUp();
  const stored = { content: { kind: "stored", id: "large", bytes: 20_000_000 } } as const;
  let isSlow = (): void => undefined;
  scene.bodies = new Bodies(async () => {
    scene.nowMs += 8_000;
    isSlow();
    return Buffer.from("large");
  });
  expect(await scene.deliver(stored)).toBe("waypost.events");
  expect(scene.steps).toEqual(["claims", "asks", "sends"]);
  isSlow = () => void (scene.configuration = configured({ held: true }));
  expect(await scene.deliver(stored)).toBe("waypost.mails put back");
  expect(scene.steps).toHaveLength(3);
});

it("a mail that the broker gave to another replica meanwhile is not sent when that one has delivered it", async () => {
  const scene = setUp();
  scene.isDeliveryLost = true;
  expect(await scene.deliver()).toBe("waypost.events");
  scene.outcome = DELIVERED;
  expect(await scene.deliver()).toBe("waypost.events");
  expect(scene.steps).toEqual(["claims", "asks", "sends", "claims", "asks"]);
});

it("a copy is not sent when the first was delivered while the copy waited for its place", async () => {
  const scene = setUp();
  const other = await takePlace(scene);
  const copy = scene.deliver({ suspectWaits: 1 }, true);
  await systemClock.sleep(1);
  scene.outcome = DELIVERED;
  other.leave();
  expect(await copy).toBe("waypost.events");
  expect(scene.steps).toEqual(["asks", "claims", "asks"]);
});

it.each([
  [2_000, "is sent", ["sends"]],
  [2_001, "is not sent when a copy was delivered meanwhile", ["claims", "asks"]],
])("a mail that waited %i ms for its place %s", async (ms, _what, steps) => {
  const scene = setUp();
  const other = await takePlace(scene);
  const waiting = scene.deliver();
  await systemClock.sleep(1);
  scene.nowMs += ms;
  scene.outcome = DELIVERED;
  other.leave();
  expect(await waiting).toBe("waypost.events");
  expect(scene.steps).toEqual(steps);
});

it("a mail whose claim another holds asks and claims when it comes again", async () => {
  const scene = setUp();
  scene.isClaimLost = true;
  expect(await scene.deliver()).toBe("waypost.wait.5s put back");
});

it("a mail that was taken before an operator's hold is not sent after it, and counts no attempt", async () => {
  const scene = setUp();
  const other = await takePlace(scene);
  const waiting = scene.deliver();
  await systemClock.sleep(1);
  scene.configuration = configured({ held: true });
  other.leave();
  expect(await waiting).toBe("waypost.mails put back");
  expect(await scene.deliver()).toBe("waypost.mails put back");
  expect(scene.steps).toEqual([]);
});

it("a mail whose stored body finds no room steps aside, and leaves its place to the next", async () => {
  const scene = setUp();
  const content = { kind: "stored", id: "large", bytes: 20_000_000 } as const;
  const { bodies } = scene;
  scene.bodies = { hold: async () => "put-back" };
  expect(await scene.deliver({ content })).toBe("waypost.wait.5s put back");
  expect(scene.steps).toEqual([]);
  scene.bodies = bodies;
  expect(await scene.deliver({ content })).toBe("waypost.events");
  expect(scene.steps).toEqual(["sends"]);
});

it("a mail whose attempt meets a bug is parked at once: a copy of it would find the claim and wait until the deadline", async () => {
  const scene = setUp();
  scene.bug = new TypeError("no such thing");
  expect(await scene.deliver({ suspectWaits: 1 }, true)).toBe("parked: TypeError: no such thing");
  scene.bug = new StoreUnavailable("away");
  await expect(scene.deliver()).rejects.toThrow("away");
});

it("a mail that has its outcome is not parked where that cannot be written: it is at the next try", async () => {
  const scene = setUp();
  scene.bug = new TypeError("no such thing");
  scene.unrecorded = DELIVERED;
  await expect(scene.deliver()).rejects.toThrow("no such thing");
});

it("a mail goes back to its lane, unsent, where the configuration stays unconfirmed: another replica may know it", async () => {
  const scene = setUp();
  scene.isFresh = false;
  expect(await scene.deliver()).toBe("waypost.mails put back");
  expect(scene.steps).toEqual([]);
});
