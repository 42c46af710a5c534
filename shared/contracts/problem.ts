// An RFC 9457 problem (operator contract, Administration API): what a refused request or submission is answered with.
import { z } from "zod";

export const problemSchema = z.object({
  type: z.literal("about:blank"),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  /** For bad input: the dotted path of each mistake; `.` is the whole body. */
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});
export type Mistake = NonNullable<Problem["errors"]>[number];
export type Problem = z.infer<typeof problemSchema>;
