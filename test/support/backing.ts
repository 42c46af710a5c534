// The run's RabbitMQ and MongoDB as tests see them, and a place of a system's own in them.
import { inject } from "vitest";
import { uniqueLabel } from "./addresses.ts";
import { connectManagement } from "./management.ts";

export interface TestBacking {
  amqpUrl: string;
  managementUrl: string;
  mongodbUri: string;
  /** Logs and private data of the run. */
  directory: string;
}

declare module "vitest" {
  interface ProvidedContext {
    backing: TestBacking;
    /** Where the run's common system is asked for. */
    commonUrl: string;
  }
}

export function testBacking(): TestBacking {
  return inject("backing");
}

export interface OwnPlace extends TestBacking {
  remove(): Promise<void>;
}

/** A new virtual host and the URI of a new database. */
export async function ownPlace(backing: TestBacking): Promise<OwnPlace> {
  const name = uniqueLabel("waypost-test");
  const management = connectManagement(backing.managementUrl);
  await management.createVhost(name);
  const amqpUrls = backing.amqpUrl.split(",").map((text) => {
    const url = new URL(text);
    url.pathname = `/${encodeURIComponent(name)}`;
    return url.toString();
  });
  const [before = "", , after = ""] =
    /^(mongodb(?:\+srv)?:\/\/[^/]+)(\/[^?]*)?(\?.*)?$/.exec(backing.mongodbUri)?.slice(1) ?? [];
  return {
    ...backing,
    amqpUrl: amqpUrls.join(","),
    mongodbUri: `${before}/${name}${after}`,
    remove: () => management.deleteVhost(name),
  };
}
