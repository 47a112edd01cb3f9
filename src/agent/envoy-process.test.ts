import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { until } from "../testing/until.ts";
import { EnvoyProcess } from "./envoy-process.ts";

let folder = "";
let envoy: EnvoyProcess;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-envoy-process-"));
  envoy = new EnvoyProcess({
    envoyPath: join(folder, "no-envoy"),
    launch: [],
    bootstrapFile: join(folder, "bootstrap.json"),
    logFile: join(folder, "logs", "envoy.log"),
    processFile: join(folder, "process.json"),
    adminSocket: join(folder, "admin.sock"),
    onChange: () => undefined,
  });
});

afterEach(() => {
  envoy.release();
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

describe("an Envoy that can't be started", () => {
  test.each([
    { title: "without its program", hasLogs: true },
    { title: "without a folder for its log", hasLogs: false },
  ])("$title is tried again after waits that grow", async ({ hasLogs }) => {
    if (hasLogs) mkdirSync(join(folder, "logs"));
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    envoy.start();
    await vi.advanceTimersByTimeAsync(60_000);
    // 0.2 + 0.4 + … + 6.4 s, then one in 10 s.
    expect(envoy.state.restarts).toBeGreaterThan(5);
    expect(envoy.state.restarts).toBeLessThan(15);
  });

  test("is tried again as soon as what was missing may be there, and says meanwhile what is missing", async () => {
    envoy.start();
    expect(envoy.state.lastError).toContain("ENOENT");
    mkdirSync(join(folder, "logs"));
    await until("it got as far as its log", () => existsSync(join(folder, "logs", "envoy.log")));
  });
});
