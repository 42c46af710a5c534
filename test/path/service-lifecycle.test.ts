// How every service starts, answers for its health, drains and exits (operator contract, Processes).
import { createServer } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "#deploy/local/ports.ts";
import { QUEUES } from "#shared/broker/topology.ts";
import { startEcho } from "#test/support/echo-process.ts";
import { eventually } from "#test/support/eventually.ts";
import { toDue } from "#test/support/runtime.ts";

it("exits 78 with one line for each wrong or missing setting, on stderr", async () => {
  const echo = await startEcho({ AMQP_URL: "", MONGODB_URI: "postgres://x", WAYPOST_DRAIN_SECONDS: "soon" });
  expect(await echo.exited).toMatchObject({ code: 78 });
  const lines = echo.output().trim().split("\n");
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(/^AMQP_URL /);
  expect(lines[1]).toMatch(/^MONGODB_URI .*mongodb:\/\//);
  expect(lines[2]).toMatch(/^WAYPOST_DRAIN_SECONDS is "soon": it should be a whole number/);
});

it("exits 78 and names the variable of a port that is taken, beside what else is wrong", async () => {
  const port = await freePort();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const echo = await startEcho({ WAYPOST_HEALTH_PORT: String(port), LOG_LEVEL: "loud" });
  expect(await echo.exited).toMatchObject({ code: 78 });
  expect(echo.output().trimEnd().split("\n")).toEqual([
    expect.stringMatching(/^LOG_LEVEL is "loud": it should be /),
    expect.stringMatching(new RegExp(`^WAYPOST_HEALTH_PORT is ${port}: it should be a free port`)),
  ]);
});

it("warns of a WAYPOST_ variable that is none, with the nearest name", async () => {
  const echo = await startEcho({ WAYPOST_HOSTNAM: "x" });
  await echo.untilReady();
  expect(echo.output()).toContain("WAYPOST_HOSTNAM is no setting of Waypost; did you mean WAYPOST_HOSTNAME?");
});

it("answers /livez, /readyz and /metrics, and nothing else", async () => {
  const echo = await startEcho();
  await echo.untilReady();
  expect((await echo.get("/livez")).status).toBe(200);
  await eventually(() => echo.broker.ready);
  await echo.broker.publish([toDue(1)]);
  await eventually(async () => (await echo.broker.depth(QUEUES.attempts)) === 1);
  const metrics = await echo.get("/metrics");
  expect(metrics.status).toBe(200);
  expect(metrics.text).toMatch(/^messaging_client_consumed_messages_total\{.*router\.due.*\} 1$/m);
  expect((await echo.get("/")).status).toBe(404);
  const posted = await fetch(`http://127.0.0.1:${echo.healthPort}/livez`, { method: "POST" });
  expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
});

it("is alive and not ready while there is no broker, and says why", async () => {
  const echo = await startEcho({ AMQP_URL: `amqp://guest:guest@127.0.0.1:${await freePort()}` });
  await eventually(async () => (await echo.get("/livez")).status === 200);
  const ready = await eventually(async () => {
    const answer = await echo.get("/readyz");
    return answer.text.includes("(") && answer;
  });
  expect(ready).toMatchObject({
    status: 503,
    text: expect.stringMatching(/broker: not connected \(.*ECONNREFUSED/) as string,
  });
  echo.child.signal("SIGTERM");
  expect(await echo.exited).toMatchObject({ code: 0 });
});

it("finishes what is in hand on SIGTERM, takes nothing new, and exits 0", async () => {
  const echo = await startEcho();
  await echo.untilReady();
  await eventually(() => echo.broker.ready);
  await echo.broker.publish([toDue(1, { body: { version: 1, n: 1, holdMs: 1_500 } })]);
  await eventually(async () => (await echo.broker.depth(QUEUES.due)) === 0);

  echo.child.signal("SIGTERM");
  await eventually(() => echo.output().includes("service.stopping"));
  await echo.broker.publish([toDue(2)]);

  expect(await echo.exited).toMatchObject({ code: 0 });
  expect(await echo.broker.depth(QUEUES.attempts)).toBe(1);
  expect(await echo.broker.depth(QUEUES.due)).toBe(1);
});

it("gives back what is not finished after WAYPOST_DRAIN_SECONDS, and exits 0", async () => {
  const echo = await startEcho({ WAYPOST_DRAIN_SECONDS: "1" });
  await echo.untilReady();
  await eventually(() => echo.broker.ready);
  await echo.broker.publish([toDue(1, { body: { version: 1, n: 1, holdMs: 60_000 } })]);
  await eventually(async () => (await echo.broker.depth(QUEUES.due)) === 0);

  echo.child.signal("SIGTERM");

  expect(await echo.exited).toMatchObject({ code: 0 });
  expect(await eventually(async () => (await echo.broker.depth(QUEUES.due)) === 1)).toBe(true);
});

it("ends at once, with 0, on a second signal", async () => {
  const echo = await startEcho();
  await echo.untilReady();
  await eventually(() => echo.broker.ready);
  await echo.broker.publish([toDue(1, { body: { version: 1, n: 1, holdMs: 60_000 } })]);
  await eventually(async () => (await echo.broker.depth(QUEUES.due)) === 0);
  echo.child.signal("SIGINT");
  await eventually(() => echo.output().includes("service.stopping"));
  echo.child.signal("SIGINT");
  expect(await echo.exited).toMatchObject({ code: 0 });
});

it("ends with 1 after a bug outside of any message; what it held is another's", async () => {
  const echo = await startEcho();
  await echo.untilReady();
  await eventually(() => echo.broker.ready);
  await echo.broker.publish([toDue(1, { body: { version: 1, n: -1, holdMs: 1_000 } })]);
  expect(await echo.exited).toMatchObject({ code: 1 });
  expect(echo.output()).toContain("service.crashed");
  expect(await eventually(async () => (await echo.broker.depth(QUEUES.due)) === 1)).toBe(true);
});

it("writes nothing but JSON lines to its log", async () => {
  const echo = await startEcho({ LOG_LEVEL: "debug", OTEL_LOG_LEVEL: "debug" });
  await echo.untilReady();
  const lines = echo.output().trim().split("\n");
  expect(lines.length).toBeGreaterThan(2);
  for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow();
});
