import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectionOf } from "@platform/service-kit";
import { placesOf, readPasswords, setUp } from "@platform/setup";
import { canConnect } from "@platform/setup/program";
import { freePort } from "@platform/setup/testing";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

const PROGRAM = join(import.meta.dirname, "main.ts");
let state: string;
let port: number;
const children: ChildProcess[] = [];

beforeAll(async () => {
  state = mkdtempSync(join(tmpdir(), "platform-database-"));
  port = await freePort();
  await setUp(placesOf({ PLATFORM_STATE: state }));
});
afterAll(async () => {
  for (const child of children) await end(child, "SIGKILL");
  await untilClosed();
  rmSync(state, { recursive: true, force: true });
});

async function start(): Promise<ChildProcess> {
  const env = { PATH: process.env["PATH"], PLATFORM_STATE: state, PLATFORM_DATABASE_PORT: String(port) };
  const child = spawn(process.execPath, [PROGRAM], { env, stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let output = "";
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const read = (text: string) => {
    output += text;
    if (output.includes("database: ready")) resolve();
  };
  child.stdout?.setEncoding("utf8").on("data", read);
  child.stderr?.setEncoding("utf8").on("data", read);
  child.on("exit", () => reject(new Error(output)));
  await promise;
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exit = once(child, "exit");
  child.kill(signal);
  return (await exit)[0];
}

const isOpen = () => canConnect(port);
const untilClosed = () => vi.waitUntil(async () => !(await isOpen()), { timeout: 15_000, interval: 50 });

async function query(text: string, over: object = {}): Promise<readonly unknown[]> {
  const places = placesOf({ PLATFORM_STATE: state });
  const password = readPasswords(places)["users_service"] ?? "";
  const ca = readFileSync(places.caCertificate, "utf8");
  const client = new Client({ ...connectionOf(`postgres://users_service:${password}@127.0.0.1:${port}/users`, ca), ...over });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/** A process that has nothing to do with it. */
async function startBystander(): Promise<number> {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  children.push(child);
  await once(child, "spawn");
  return child.pid ?? 0;
}

/** The lock file as a killed server leaves it, with that process number. */
function writeLockOf(pid: number): void {
  const { postgres } = placesOf({ PLATFORM_STATE: state });
  writeFileSync(join(postgres, "postmaster.pid"), `${pid}\n${postgres}\n${Math.floor(Date.now() / 1000)}\n${port}\n\n127.0.0.1\n`);
}

/** One data folder through its life: the tests follow each other. */
describe("the database program", () => {
  let running: ChildProcess;

  test("takes TLS connections with a password only", async () => {
    running = await start();
    expect(await query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")).toEqual([{ ssl: true }]);
    await expect(query("SELECT 1", { ssl: false })).rejects.toThrow("no encryption");
    await expect(query("SELECT 1", { password: "guess" })).rejects.toThrow("password authentication failed");
    await expect(query("SELECT 1", { database: "videos" })).rejects.toThrow("permission denied");
  });

  test("keeps its data over a stop and a start", async () => {
    await query("INSERT INTO users (subject, display_name) VALUES ('alice', 'Alice')");
    expect(await end(running, "SIGTERM")).toBe(0);
    expect(await isOpen()).toBe(false);
    running = await start();
    expect(await query("SELECT subject FROM users")).toEqual([{ subject: "alice" }]);
  });

  test.skipIf(process.platform !== "linux")(
    "killed without a word, takes PostgreSQL with it, and starts again though its process number is now another's",
    async () => {
      await end(running, "SIGKILL");
      await untilClosed();
      writeLockOf(await startBystander());
      running = await start();
      expect(await query("SELECT subject FROM users")).toEqual([{ subject: "alice" }]);
    },
  );
});
