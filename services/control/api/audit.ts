// The audit of changes.
import { z } from "zod";
import type { AuditEntry } from "#shared/store/audit.ts";
import type { ApiContext } from "./context.ts";
import { isoTime, listOf, newestQuery, timestamp } from "./fields.ts";
import type { Operation } from "./operation.ts";
import { NOTHING, operation } from "./operation.ts";
import { present } from "./present.ts";

const auditView = z
  .object({
    id: z.string(),
    at: isoTime,
    who: z.string(),
    what: z.string(),
    action: z.string(),
    account: z.string().optional(),
    from: z.record(z.string(), z.unknown()).optional(),
    to: z.record(z.string(), z.unknown()).optional(),
    secrets: z.array(z.string()).optional().describe("names of the secrets that were set, replaced or removed"),
  })
  .meta({ id: "AuditEntry" });

function viewEntry({ _id, at, who, what, action, account, from, to, secrets }: AuditEntry): z.output<typeof auditView> {
  return {
    id: _id,
    at: at.toISOString(),
    who,
    what,
    action,
    ...present({ account: account === "" ? undefined : account }),
    ...(from === undefined ? {} : { from: { ...from } }),
    ...(to === undefined ? {} : { to: { ...to } }),
    ...(secrets === undefined ? {} : { secrets: [...secrets] }),
  };
}

function auditOperation(context: ApiContext): Operation {
  return operation({
    method: "GET",
    path: "/v1/audit",
    tag: "Operation",
    summary: "Who changed what, when, from what to what; newest first",
    params: NOTHING,
    query: newestQuery.extend({
      account: z.string().optional(),
      since: timestamp.optional(),
      until: timestamp.optional(),
    }),
    body: NOTHING,
    answer: listOf(auditView),
    refusals: [422],
    handle: async ({ query }) => {
      const { items, ...rest } = await context.audit.page(query);
      return { items: items.map(viewEntry), ...rest };
    },
  });
}

export function auditOperations(context: ApiContext): Operation[] {
  return [auditOperation(context)];
}
