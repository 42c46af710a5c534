// A POST from batch to outcome: never throws for what an endpoint does.
import type { Clock } from "#shared/clock.ts";
import type { BatchMessage } from "#shared/contracts/batch.ts";
import { isEndpointUrl } from "#shared/contracts/endpoint-rules.ts";
import { headersOf } from "#shared/telemetry/propagators.ts";
import type { PostOutcome } from "./answer.ts";
import { outcomeOfAnswer, outcomeOfError } from "./answer.ts";
import type { EndpointDetails } from "./endpoint.ts";
import { startPostSpan } from "./figures.ts";
import type { HttpClient } from "./http-client.ts";
import { requestOf } from "./request.ts";

export interface Poster {
  post(batch: BatchMessage, details: EndpointDetails): Promise<PostOutcome>;
}

type PostTrace = ReturnType<typeof headersOf>;

export function createPoster({ client, clock }: { client: HttpClient; clock: Clock }): Poster {
  const attempt = async (batch: BatchMessage, details: EndpointDetails, trace: PostTrace) => {
    try {
      const request = requestOf(batch, details, { now: clock.now(), trace });
      return outcomeOfAnswer(await client.post(request), clock.now());
    } catch (error) {
      return outcomeOfError(error);
    }
  };
  return {
    post: async (batch, details) => {
      if (!isEndpointUrl(details.url)) {
        return { kind: "failed", status: 0, reason: "the endpoint's URL is not valid" };
      }
      const span = startPostSpan(batch, details);
      const outcome = await attempt(batch, details, headersOf(span.context));
      span.end(outcome);
      return outcome;
    },
  };
}
