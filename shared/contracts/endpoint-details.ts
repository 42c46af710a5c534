// A job's own endpoint for its push notifications: in a JobRequest, and from the control headers of SMTP.
// Travels sealed as JSON in `head.endpoint`; replaces the account's defaults as a whole (contract, JobRequest over SMTP).
import { z } from "zod";
import { endpointUrl, mistakeOfNotificationHeader, mistakeOfNotificationHeaders } from "./endpoint-rules.ts";
import { freeMap, headerText } from "./job-request-fields.ts";

const AUTHORIZATION_TWICE = "Authorization beside authentication";

export const endpointDetailsSchema = z
  .strictObject({
    url: endpointUrl({ mayHaveCredentials: false }),
    headers: freeMap(mistakeOfNotificationHeader).optional(),
    authentication: z
      .strictObject({
        method: z.literal("BASIC"),
        user: headerText.refine((user) => !user.includes(":"), { error: "no colon in the user" }),
        password: headerText,
      })
      .optional(),
  })
  .superRefine((endpoint, context) => {
    const mistake = mistakeOfNotificationHeaders(endpoint.headers ?? []);
    if (mistake !== undefined) context.addIssue({ code: "custom", path: ["headers"], message: mistake });
    const names = (endpoint.headers ?? []).map(({ name }) => name);
    const given = names.find((name) => name.toLowerCase() === "authorization");
    if (given !== undefined && endpoint.authentication !== undefined) {
      context.addIssue({ code: "custom", path: ["headers", given], message: AUTHORIZATION_TWICE });
    }
  });
export type EndpointDetails = z.output<typeof endpointDetailsSchema>;
