// The crash points that the short form (crash-points.test.ts) leaves out.
import { CRASH_POINTS, survives } from "./crash-points.ts";

survives(
  CRASH_POINTS.filter(({ isShort }) => isShort !== true),
  { bySubmission: false },
);
