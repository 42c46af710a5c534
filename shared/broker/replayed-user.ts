// Whose a replayed submission is. RabbitMQ checks `user_id` against the connection, so a replay, which control publishes,
// cannot have the application's: it travels sealed in a header that nobody else can make.
import { z } from "zod";
import { WaypostError } from "#shared/errors.ts";
import type { Sealer } from "#shared/secrets.ts";
import { parse } from "./encoding.ts";

const HEADER = "waypost-replayed-user";
const PURPOSE = "replayed submission";
const sealedSchema = z.object({ purpose: z.literal(PURPOSE), userId: z.string() });

export function replayedUserHeaders(userId: string, sealer: Sealer): Record<string, string> {
  return { [HEADER]: sealer.seal(JSON.stringify({ purpose: PURPOSE, userId })) };
}

/** The user of a replayed submission; undefined where the header is absent or not of our making. */
export function replayedUserOf(headers: Readonly<Record<string, unknown>>, sealer: Sealer): string | undefined {
  const sealed = headers[HEADER];
  if (typeof sealed !== "string") return undefined;
  try {
    return sealedSchema.safeParse(parse(Buffer.from(sealer.open(sealed)))).data?.userId;
  } catch (error) {
    if (error instanceof WaypostError) return undefined;
    throw error;
  }
}
