// Imported first by every main.ts, before the service and what it needs are loaded: what must be set by then.
import { enableCompileCache } from "node:module";
import { setFlagsFromString } from "node:v8";

/**
 * Messages live for milliseconds: a large young generation only holds their dead buffers. Measured: 10 MB less of an
 * idle process and 50 MB less of one at full load, at no more CPU.
 */
setFlagsFromString("--max-semi-space-size=1");
setFlagsFromString("--semi-space-growth-factor=1");

/** Sources compiled at the last start: 170 ms and 20 MB less, for types need not be stripped again. */
enableCompileCache();
