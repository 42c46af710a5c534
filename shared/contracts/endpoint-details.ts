// A job's own endpoint for its push notifications: in a JobRequest, and from the control headers of SMTP.
// Travels sealed as JSON in `head.endpoint`; replaces the account's defaults as a whole (contract, JobRequest over SMTP).
import { z } from "zod";
import { endpointUrl, mistakeOfNotificationHeader, mistakeOfNotificationHeaders } from "./endpoint-rules.ts";
import { besideOtherMistakes, freeMap, headerText } from "./job-request-fields.ts";

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
  .superRefine(
    (endpoint, context) => {
      // With a mistake within they may be none.
      const headers = Array.isArray(endpoint.headers) ? endpoint.headers : [];
      const mistake = mistakeOfNotificationHeaders(headers);
      if (mistake !== undefined) context.addIssue({ code: "custom", path: ["headers"], message: mistake });
      const given = headers.find(({ name }) => name.toLowerCase() === "authorization");
      if (given !== undefined && endpoint.authentication !== undefined) {
        context.addIssue({ code: "custom", path: ["headers", given.name], message: AUTHORIZATION_TWICE });
      }
    },
    { when: besideOtherMistakes },
  );
export type EndpointDetails = z.output<typeof endpointDetailsSchema>;
