// A kill between one step and the next, between publish and acknowledge above all: nothing is lost, every mail ends once, and a
// mail is sent twice only where its sender died before it had recorded the outcome, and says so.
import { CRASH_POINTS, survives } from "./crash-points.ts";

survives(
  CRASH_POINTS.filter(({ isShort }) => isShort === true),
  { bySubmission: true },
);
