// What the tests ask of RabbitMQ's management API: a virtual host for each system, users, permissions.

export interface Management {
  createVhost(name: string): Promise<void>;
  deleteVhost(name: string): Promise<void>;
  /** A user who may do what the patterns say in the virtual host; anything by default. */
  createUser(user: string, password: string, vhost: string, patterns?: UserPatterns): Promise<void>;
  deleteUser(user: string): Promise<void>;
  /** Any other call: its JSON answer. */
  call(method: string, path: string, body?: object): Promise<unknown>;
}

export interface UserPatterns {
  configure?: string;
  write?: string;
  read?: string;
}

/** Where the management API of a given broker may be: as told, else 10000 above the AMQP port. */
export function managementUrlOf(amqpUrl: string): string {
  const told = process.env["WAYPOST_TEST_MANAGEMENT_URL"];
  if (told !== undefined && told !== "") return told;
  const url = new URL(amqpUrl.split(",")[0] ?? amqpUrl);
  const port = Number(url.port === "" ? 5_672 : url.port) + 10_000;
  return `http://${url.username || "guest"}:${url.password || "guest"}@${url.hostname}:${port}`;
}

export function connectManagement(managementUrl: string): Management {
  const { username, password, origin } = new URL(managementUrl);
  const basic = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64");
  const call = async (method: string, path: string, body?: object): Promise<unknown> => {
    const init = { method, headers: { authorization: `Basic ${basic}`, "content-type": "application/json" } };
    const response = await fetch(`${origin}/api${path}`, {
      ...init,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw new Error(`RabbitMQ's management API does not answer at ${origin}: the tests need it`, { cause: error });
    });
    const text = await response.text();
    if (!response.ok && response.status !== 404) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  };
  const everything = ".*";
  return {
    call,
    createVhost: async (name) => {
      await call("PUT", `/vhosts/${encodeURIComponent(name)}`, {});
      const user = encodeURIComponent(decodeURIComponent(username));
      const all = { configure: everything, write: everything, read: everything };
      await call("PUT", `/permissions/${encodeURIComponent(name)}/${user}`, all);
    },
    deleteVhost: async (name) => void (await call("DELETE", `/vhosts/${encodeURIComponent(name)}`)),
    createUser: async (user, secret, vhost, patterns = {}) => {
      await call("PUT", `/users/${encodeURIComponent(user)}`, { password: secret, tags: "" });
      await call("PUT", `/permissions/${encodeURIComponent(vhost)}/${encodeURIComponent(user)}`, {
        configure: patterns.configure ?? everything,
        write: patterns.write ?? everything,
        read: patterns.read ?? everything,
      });
    },
    deleteUser: async (user) => void (await call("DELETE", `/users/${encodeURIComponent(user)}`)),
  };
}
