// What PUT /v1/accounts/{account} takes, and what is shown of an account: never a secret.
import ipaddr from "ipaddr.js";
import { z } from "zod";
import {
  endpointUrl,
  mistakeOfNotificationHeader,
  mistakeOfNotificationHeaders,
} from "#shared/contracts/endpoint-rules.ts";
import { namedValues } from "#shared/contracts/named-values.ts";
import { isoTime, line, secret } from "./fields.ts";

/** How a stored value that may be a secret is shown; sent back, it keeps what is stored. */
export const MASK = "***";

const DEFAULT_WAITING_MAILS = 200_000;
const SECRET_BYTES = { least: 24, most: 64 } as const;
const FOUR_PARTS = /^\d{1,3}(\.\d{1,3}){3}/;

function isNetwork(text: string): boolean {
  return ipaddr.isValidCIDR(text) && (text.includes(":") || FOUR_PARTS.test(text));
}

function isSourceAddress(text: string): boolean {
  if (!ipaddr.isValid(text) || !(text.includes(":") || FOUR_PARTS.test(text)) || text.includes("%")) return false;
  return !["unspecified", "broadcast", "multicast"].includes(ipaddr.parse(text).range());
}

export function isSigningSecret(text: string): boolean {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1];
  if (encoded === undefined) return false;
  const bytes = Buffer.from(encoded, "base64");
  const isExact = bytes.toString("base64").replace(/=+$/, "") === encoded.replace(/=+$/, "");
  return isExact && bytes.length >= SECRET_BYTES.least && bytes.length <= SECRET_BYTES.most;
}

const signingSecret = z
  .string()
  .refine(isSigningSecret, { error: "whsec_ and base64 of 24 to 64 bytes" })
  .nullable()
  .optional()
  .describe("`whsec_` and base64 of 24 to 64 bytes; kept when absent; null removes it");

const notificationInput = z
  .strictObject({
    url: endpointUrl({ mayHaveCredentials: false }),
    headers: namedValues(mistakeOfNotificationHeader).optional(),
    authentication: z
      .strictObject({
        method: z.literal("BASIC"),
        user: line(255).regex(/^[^:]*$/, { error: "no colon" }),
        password: secret,
      })
      .nullable()
      .optional(),
    signingSecret,
    previousSigningSecret: signingSecret,
  })
  .superRefine((value, context) => {
    const mistake = mistakeOfNotificationHeaders(value.headers ?? []);
    if (mistake !== undefined) context.addIssue({ code: "custom", path: ["headers"], message: mistake });
    const name = value.headers?.find((header) => header.name.toLowerCase() === "authorization")?.name;
    if (name === undefined || value.authentication === undefined || value.authentication === null) return;
    context.addIssue({ code: "custom", path: ["headers", name], message: "not beside authentication" });
  });

export const accountInput = z.strictObject({
  customerNo: line(100),
  tenant: line(100).optional(),
  password: secret,
  sourceIps: z
    .array(z.string().refine(isNetwork, { error: "a network in CIDR notation, such as 192.0.2.0/24 or 2001:db8::/32" }))
    .max(1_000)
    .optional(),
  dedicatedIp: z
    .string()
    .refine(isSourceAddress, { error: "an IPv4 or IPv6 address" })
    .transform((text) => ipaddr.parse(text).toString())
    .optional(),
  brokerUser: line(255).optional(),
  notification: notificationInput.optional(),
  limits: z
    .strictObject({
      jobsPerSecond: z.number().positive({ error: "above 0" }).optional(),
      waitingMails: z.int().min(1, { error: "at least 1" }).default(DEFAULT_WAITING_MAILS),
    })
    .default({ waitingMails: DEFAULT_WAITING_MAILS }),
});
export type AccountInput = z.output<typeof accountInput>;
export type NotificationInput = z.output<typeof notificationInput>;

export const accountView = z
  .object({
    account: z.string(),
    customerNo: z.string(),
    tenant: z.string().optional(),
    hasPassword: z.boolean(),
    sourceIps: z.array(z.string()),
    dedicatedIp: z.string().optional(),
    brokerUser: z.string().optional(),
    notification: z
      .object({
        url: z.string(),
        headers: z.record(z.string(), z.string()).optional().describe(`a value that may be a secret shows as ${MASK}`),
        authentication: z.object({ method: z.literal("BASIC"), user: z.string() }).optional(),
        hasSigningSecret: z.boolean(),
        hasPreviousSigningSecret: z.boolean(),
      })
      .optional(),
    limits: z.object({ jobsPerSecond: z.number().optional(), waitingMails: z.int() }),
    state: z.enum(["active", "leaving"]).describe("leaving: removed, until its last mail has ended and is notified"),
    removedAt: isoTime.optional(),
  })
  .meta({ id: "Account" });
export type AccountView = z.output<typeof accountView>;
