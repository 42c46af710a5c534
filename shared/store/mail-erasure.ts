// Erasure of one recipient's personal data from the record; counts, times and outcomes stay. Used by the notifier alone.
import type { Document } from "mongodb";
import { comparableAddress } from "#shared/email/comparable-address.ts";
import type { Store } from "./connection.ts";
import { guardLong } from "./connection.ts";
import { mailsOf } from "./mails.ts";

/** Stands where personal data was. */
export const ERASED = "erased";

/** `$$item.<path>` replaced by ERASED in each item that has it. */
function eraseWhere(path: string): Document {
  return { $cond: [{ $eq: [{ $type: `$$item.${path}` }, "missing"] }, "$$REMOVE", ERASED] };
}

function erasedPoints(field: string): Document {
  const smtp = { $mergeObjects: ["$$item.content.smtp", { reason: eraseWhere("content.smtp.reason") }] };
  const has = (path: string, value: Document): Document => ({
    $cond: [{ $eq: [{ $type: `$$item.${path}` }, "missing"] }, "$$REMOVE", value],
  });
  const mime = { $unsetField: { field: "messageId", input: "$$item.content.mime" } };
  return {
    $map: {
      input: `$${field}`,
      as: "item",
      in: {
        tag: "$$item.tag",
        event: { $mergeObjects: ["$$item.event", { description: eraseWhere("event.description") }] },
        content: has("content", { mime: has("content.mime", mime), smtp: has("content.smtp", smtp) }),
      },
    },
  };
}

const PIPELINE: Document[] = [
  {
    $set: {
      email: ERASED,
      recipient: ERASED,
      // What an application calls its recipient may tell who it is.
      reference: "$$REMOVE",
      erased: true,
      points: erasedPoints("points"),
      late: { $cond: [{ $isArray: "$late" }, erasedPoints("late"), "$$REMOVE"] },
      attempts: {
        $map: {
          input: "$attempts",
          as: "item",
          in: { $mergeObjects: ["$$item", { result: { $mergeObjects: ["$$item.result", { text: ERASED }] } }] },
        },
      },
      version: { $add: ["$version", 1] },
    },
  },
];

/** Erases from every mail to the address; answers how many there were. */
export async function eraseRecipient(store: Store, address: string): Promise<number> {
  return guardLong(async () => {
    const result = await mailsOf(store).updateMany({ recipient: comparableAddress(address) }, PIPELINE);
    return result.modifiedCount;
  });
}
