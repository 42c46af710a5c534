// Runs the retry-scheduler service: the process is prepared first, then everything is loaded.
import "#shared/prepare-process.ts";

const { runService } = await import("#shared/service.ts");
const { service } = await import("./service.ts");
await runService(service);
