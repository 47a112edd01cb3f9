import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type BrokerStandIn, startForTest as startBroker } from "@platform/broker/testing";
import { type StandIn, startForTest as startDatabase } from "@platform/database/testing";
import { freePort } from "@platform/setup/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Client, tokenOf } from "./testing.ts";

let database: StandIn;
let broker: BrokerStandIn;
beforeAll(async () => {
  [database, broker] = await Promise.all([startDatabase(), startBroker()]);
});
afterAll(() => Promise.all([database?.stop(), broker?.stop()]));

function start(env: Record<string, string>) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "main.ts")], {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  return { child, output: () => text };
}

test.each([
  { title: "with its broker", isThere: true },
  { title: "without its broker", isThere: false },
])("$title it is ready, ends its sockets and itself on SIGTERM, and has logged no secret", async ({ isThere }) => {
  const port = String(await freePort());
  const [DATABASE_URL, given] = [database.serviceUrl("chats"), broker.serviceUrl("chat-service")];
  const EVENTS_URL = isThere ? given : given.replace(/:\d+$/, `:${await freePort()}`);
  const { child, output } = start({ PORT: port, DATABASE_URL, DATABASE_CA: database.ca, EVENTS_URL, EVENTS_CA: broker.ca });
  const ready = () => fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined);
  await vi.waitUntil(async () => (await ready())?.ok, { timeout: 20_000, interval: 50 });
  const client = await Client.connect(`ws://127.0.0.1:${port}/api/v1/chat/socket`, "alice");
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  expect(await client.closed).toMatchObject({ code: 1001 });
  expect(await exit).toEqual([0, null]);
  expect(output()).toContain("connected");
  for (const secret of [tokenOf("alice"), new URL(DATABASE_URL).password, new URL(EVENTS_URL).password]) {
    expect(output()).not.toContain(secret);
  }
});

test("does not start on a wrong environment, and says which variables", async () => {
  const { child, output } = start({ PORT: "0", DATABASE_URL: "postgres://u:hunter2@db/chats", EVENTS_URL: "ftp://u:hunter2@h" });
  expect(await once(child, "close")).toEqual([1, null]);
  expect(output()).toMatch(/PORT[\s\S]*DATABASE_CA[\s\S]*EVENTS_URL/);
  expect(output()).not.toContain("hunter2");
});
