// Whether the ports that a service will listen on are free: looked at before anything is opened.
import { createServer } from "node:net";

export interface WantedPort {
  /** The variable that names it. */
  setting: string;
  port: number;
}

/** One line for each port that can't be listened on. */
export async function takenPorts(host: string, wanted: readonly WantedPort[]): Promise<string[]> {
  const problems: string[] = [];
  for (const { setting, port } of wanted) {
    const twin = wanted.find((other) => other.port === port && other.setting !== setting);
    const code = await tryPort(host, port);
    if (code !== undefined) problems.push(`${setting} is ${port}: it should be ${wordsFor(code, host)}`);
    else if (twin !== undefined) problems.push(`${setting} is ${port}: it should be another port than ${twin.setting}`);
  }
  return problems;
}

function tryPort(host: string, port: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const server = createServer();
  server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  return promise;
}

function wordsFor(code: string, host: string): string {
  if (code === "EADDRINUSE") return `a free port, this one is taken on ${host}`;
  if (code === "EACCES") return "a port that this user may listen on";
  if (code === "EADDRNOTAVAIL") return `on an address of this machine: WAYPOST_BIND is ${host}`;
  return `a port that can be listened on (${code})`;
}
