import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type StandIn, startForTest } from "@platform/database/testing";
import { freePort } from "@platform/setup/testing";
import { openPool } from "@platform/service-kit";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

let database: StandIn;
beforeAll(async () => {
  database = await startForTest();
});
afterAll(() => database.stop());

function start(env: Record<string, string>): { child: ChildProcess; output: () => string } {
  const child = spawn(process.execPath, [join(import.meta.dirname, "main.ts")], {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  return { child, output: () => text };
}

/** What waits for the broker, which is not there. */
async function outboxOf(name: string): Promise<readonly unknown[]> {
  const pool = openPool({
    url: database.serviceUrl(name),
    ca: database.ca,
    poolSize: 1,
    applicationName: "test",
    onIdleError: () => undefined,
  });
  try {
    return (await pool.query("SELECT type, key, body::json->>'traceparent' AS traceparent FROM outbox")).rows;
  } finally {
    await pool.end();
  }
}

test("serves until SIGTERM, then ends by itself, and has logged no secret", async () => {
  const port = await freePort();
  const url = database.serviceUrl("users");
  const events = { EVENTS_URL: "tls://user-service:broker-password@127.0.0.1:1", EVENTS_CA: database.ca };
  const { child, output } = start({ PORT: String(port), VERSION: "v9", DATABASE_URL: url, DATABASE_CA: database.ca, ...events });
  const ready = () => fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined);
  const answer = await vi.waitUntil(async () => ((await ready())?.ok ? ready() : undefined), { timeout: 20_000, interval: 50 });
  expect(answer?.headers.get("x-service-version")).toBe("v9");
  const token = `e30.${Buffer.from('{"sub":"alice"}').toString("base64url")}.c2ln`;
  expect((await fetch(`http://127.0.0.1:${port}/api/v1/users/me`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(404);
  const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
  const signUp = {
    method: "POST",
    body: '{"displayName":"Alice"}',
    headers: { authorization: `Bearer ${token}`, traceparent, "content-type": "application/json" },
  };
  expect((await fetch(`http://127.0.0.1:${port}/api/v1/users`, signUp)).status).toBe(201);
  expect(await outboxOf("users")).toEqual([{ type: "user.signed-up.v1", key: "alice", traceparent }]);
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  expect(await exit).toEqual([0, null]);
  expect(output()).toContain("/api/v1/users/me");
  expect(output()).not.toContain(token);
  expect(output()).not.toContain(new URL(url).password);
  expect(output()).not.toContain("broker-password");
});

test("does not start on a wrong environment, and says which variables", async () => {
  const { child, output } = start({ PORT: "0", DATABASE_URL: "postgres://u:hunter2@db/users" });
  expect(await once(child, "close")).toEqual([1, null]);
  expect(output()).toMatch(/PORT[\s\S]*DATABASE_CA/);
  expect(output()).not.toContain("hunter2");
});
