// The console's script on as much of a page as it touches, for what a person is told where something goes wrong.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";

const REFRESH_MS = 3_000;

/** An element that keeps its text and its children, and calls who listens. */
class Part {
  hidden = false;
  value = "";
  fields: Readonly<Record<string, string>> = {};
  children: Part[] = [];
  readonly #listeners = new Map<string, (event: object) => void>();
  #text = "";

  get textContent(): string {
    return this.#text;
  }
  set textContent(text: string) {
    this.#text = text;
  }
  append(...parts: Part[]): void {
    this.children.push(...parts);
  }
  replaceChildren(...parts: Part[]): void {
    this.children = parts;
  }
  addEventListener(name: string, listener: (event: object) => void): void {
    this.#listeners.set(name, listener);
  }
  fire(name: string): void {
    this.#listeners.get(name)?.({ preventDefault: () => undefined, target: this });
  }
  focus(): void {}
  scrollIntoView(): void {}
}

let opened = 0;

type Answers = (path: string) => { status: number; body: object };

const MAIL = { mailId: "m-1", jobId: "j-1", account: "acme", email: "to@example.com", from: "from@acme.example" };

/** The console, signed in, with an API that answers so. */
async function openConsole(answers: Answers) {
  vi.useFakeTimers();
  const html = readFileSync(join(import.meta.dirname, "index.html"), "utf8");
  const parts = new Map([...html.matchAll(/ id="([^"]+)"/g)].map(([, id = ""]) => [id, new Part()]));
  const part = (id: string): Part => parts.get(id) ?? new Part();
  vi.stubGlobal("document", { getElementById: part, createElement: () => new Part(), hidden: false });
  vi.stubGlobal("sessionStorage", { getItem: () => "token", setItem: () => undefined, removeItem: () => undefined });
  vi.stubGlobal("location", { hash: "" });
  vi.stubGlobal("FormData", function (this: object, form: Part) {
    return { get: (name: string) => form.fields[name] ?? "" };
  });
  vi.stubGlobal("fetch", async (path: string) => {
    const { status, body } = answers(path);
    return { status, ok: status < 300, json: async () => body };
  });
  opened += 1;
  // Anew each time, and no other module with it: test files share theirs.
  const script = `./console.js?${opened}`;
  await import(script);
  await vi.advanceTimersByTimeAsync(1);
  return { part, later: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
}

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const listing = (path: string): { status: number; body: object } => ({
  status: 200,
  body: { items: path.startsWith("/v1/mails?") ? [MAIL] : [] },
});

it("says that a mail which is opened is no longer there", async () => {
  const page = await openConsole((path) => (path === "/v1/mails/m-1" ? { status: 404, body: {} } : listing(path)));
  page.part("mails").children[0]?.fire("click");
  await page.later(1);
  expect(page.part("message").textContent).toBe("There is no such mail any more.");
});

it("keeps what it said of a search until something else is asked for, while the relays are read anew", async () => {
  let isRefused = false;
  const page = await openConsole((path) =>
    isRefused && path.startsWith("/v1/mails") ? { status: 422, body: { detail: "bad input" } } : listing(path),
  );
  isRefused = true;
  page.part("search").fire("submit");
  await page.later(2 * REFRESH_MS + 1);
  expect(page.part("message").textContent).toBe("bad input");
  isRefused = false;
  page.part("search").fire("submit");
  await page.later(1);
  expect(page.part("message").textContent).toBe("");
});

it("takes back that the relays could not be read once they are", async () => {
  let isAway = false;
  const page = await openConsole((path) =>
    isAway ? { status: 503, body: { detail: "the database is away" } } : listing(path),
  );
  isAway = true;
  await page.later(REFRESH_MS);
  expect(page.part("message").textContent).toBe("the database is away");
  isAway = false;
  await page.later(REFRESH_MS);
  expect(page.part("message").textContent).toBe("");
});
