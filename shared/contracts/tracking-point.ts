// The life of a mail as a table (contract, Tracking points): which events exist and what may follow which.
import { z } from "zod";

export const TRACKING_POINTS = {
  PREVIOUSLY_BOUNCED: { phase: "PRE_PROCESS", state: "FINISHED", type: "DROPPED", subType: "PREVIOUSLY_BOUNCED" },
  FORBIDDEN_RECIPIENT: { phase: "PRE_PROCESS", state: "FINISHED", type: "DROPPED", subType: "FORBIDDEN_RECIPIENT" },
  INVALID_ADDRESS: { phase: "PRE_PROCESS", state: "FINISHED", type: "DROPPED", subType: "INVALID_ADDRESS" },
  SUPPRESSED: { phase: "PRE_PROCESS", state: "FINISHED", type: "DROPPED", subType: "SUPPRESSED" },
  VALIDATION_ERROR: { phase: "PRE_PROCESS", state: "FINISHED", type: "DROPPED", subType: "VALIDATION_ERROR" },
  STARTED: { phase: "PROCESS", state: "INITIAL", type: "STARTED", subType: "PROCESSING_STARTED" },
  PROCESSED: { phase: "PROCESS", state: "INTERMEDIATE", type: "PROCESSED", subType: "PROCESSING_FINISHED" },
  PROCESSING_FAILED: { phase: "PROCESS", state: "FINISHED", type: "DROPPED", subType: "PROCESSING_FAILED" },
  DEFERRED: { phase: "DELIVER", state: "INTERMEDIATE", type: "DEFERRED", subType: "SOFT_BOUNCE" },
  DELIVERED: { phase: "DELIVER", state: "FINISHED", type: "DELIVERED", subType: "OK" },
  HARD_BOUNCE: { phase: "DELIVER", state: "FINISHED", type: "BOUNCED", subType: "HARD_BOUNCE" },
  SOFT_BOUNCE: { phase: "DELIVER", state: "FINISHED", type: "BOUNCED", subType: "SOFT_BOUNCE" },
} as const;

export type TrackingPointName = keyof typeof TRACKING_POINTS;
export type TrackingPoint = (typeof TRACKING_POINTS)[TrackingPointName];

const DELIVERY_ENDS = ["DELIVERED", "HARD_BOUNCE", "SOFT_BOUNCE", "PROCESSING_FAILED"] as const;

/** What may follow a tracking point of the same mail; nothing follows a FINISHED one. */
export const FOLLOWERS: Readonly<Record<TrackingPointName | "ACCEPTED", readonly TrackingPointName[]>> = {
  ACCEPTED: [
    "PREVIOUSLY_BOUNCED",
    "FORBIDDEN_RECIPIENT",
    "INVALID_ADDRESS",
    "SUPPRESSED",
    "VALIDATION_ERROR",
    "STARTED",
  ],
  STARTED: ["PROCESSED", "PROCESSING_FAILED"],
  PROCESSED: ["DEFERRED", ...DELIVERY_ENDS],
  DEFERRED: ["DEFERRED", ...DELIVERY_ENDS],
  PREVIOUSLY_BOUNCED: [],
  FORBIDDEN_RECIPIENT: [],
  INVALID_ADDRESS: [],
  SUPPRESSED: [],
  VALIDATION_ERROR: [],
  PROCESSING_FAILED: [],
  DELIVERED: [],
  HARD_BOUNCE: [],
  SOFT_BOUNCE: [],
};

/** How far each kind of tracking point brings a mail. */
export const PROGRESS = { STARTED: 1, PROCESSED: 2, DEFERRED: 3, DELIVERED: 4, BOUNCED: 4, DROPPED: 4 } as const;

export const trackingPointTypes = ["STARTED", "PROCESSED", "DROPPED", "DEFERRED", "DELIVERED", "BOUNCED"] as const;

export const trackingPointSchema = z.object({
  type: z.enum(trackingPointTypes),
  phase: z.enum(["PRE_PROCESS", "PROCESS", "DELIVER"]),
  state: z.enum(["INITIAL", "INTERMEDIATE", "FINISHED"]),
  subType: z.enum([
    "PREVIOUSLY_BOUNCED",
    "FORBIDDEN_RECIPIENT",
    "INVALID_ADDRESS",
    "SUPPRESSED",
    "VALIDATION_ERROR",
    "PROCESSING_STARTED",
    "PROCESSING_FINISHED",
    "PROCESSING_FAILED",
    "SOFT_BOUNCE",
    "OK",
    "HARD_BOUNCE",
  ]),
});
