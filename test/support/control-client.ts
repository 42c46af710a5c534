// The administration API as tests speak to it.

export interface ApiAnswer<T = Json> {
  status: number;
  headers: Headers;
  /** Looked into by path in assertions: each test says what it expects. */
  body: T;
}

export interface Json {
  readonly [key: string]: Json | undefined;
}

export interface ControlClient {
  readonly url: string;
  request<T = Json>(method: string, path: string, body?: unknown): Promise<ApiAnswer<T>>;
  get<T = Json>(path: string): Promise<ApiAnswer<T>>;
  put<T = Json>(path: string, body: unknown): Promise<ApiAnswer<T>>;
  post<T = Json>(path: string, body?: unknown): Promise<ApiAnswer<T>>;
  delete<T = Json>(path: string): Promise<ApiAnswer<T>>;
}

export async function answerOf<T = Json>(response: Response): Promise<ApiAnswer<T>> {
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") === true && text !== "";
  return {
    status: response.status,
    headers: response.headers,
    body: (isJson ? JSON.parse(text) : text) as T,
  };
}

export function createControlClient(url: string, token: string): ControlClient {
  const request = async <T = Json>(method: string, path: string, body?: unknown): Promise<ApiAnswer<T>> => {
    const headers = { authorization: `Bearer ${token}` };
    if (body === undefined) return answerOf(await fetch(`${url}${path}`, { method, headers }));
    const json = { ...headers, "content-type": "application/json" };
    return answerOf(await fetch(`${url}${path}`, { method, headers: json, body: JSON.stringify(body) }));
  };
  return {
    url,
    request,
    get: (path) => request("GET", path),
    put: (path, body) => request("PUT", path, body),
    post: (path, body) => request("POST", path, body),
    delete: (path) => request("DELETE", path),
  };
}
