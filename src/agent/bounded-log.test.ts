import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ServingEnvoy, startServingEnvoy } from "../testing/serving-envoy.ts";
import { boundLog } from "./bounded-log.ts";
import { dropOldProxies } from "./old-proxies.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-bounded-"));
  file = join(folder, "envoy.log");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a log that another process appends to", () => {
  test("is left alone within its bound", () => {
    writeFileSync(file, "a\n");
    expect(boundLog(file, 2)).toBe(false);
    expect(readFileSync(file, "utf8")).toBe("a\n");
  });

  test("that isn't there is no failure", () => {
    expect(boundLog(file, 2)).toBe(false);
    expect(existsSync(`${file}.1`)).toBe(false);
  });

  test("goes on in a file without a hole when it is cut, keeps its order, and both files stay near the bound", async () => {
    const bound = 20_000;
    const writer = spawn("sh", ["-c", "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); echo line $i end; done"], {
      stdio: ["ignore", openSync(file, "a"), "ignore"],
    });
    const ended = new Promise((resolve) => writer.once("exit", resolve));
    let isOver = false;
    void ended.then(() => (isOver = true));
    let cuts = 0;
    while (!isOver) {
      if (boundLog(file, bound)) cuts++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    boundLog(file, bound);
    expect(cuts).toBeGreaterThan(2);
    const text = readFileSync(`${file}.1`, "utf8") + readFileSync(file, "utf8");
    expect(text).not.toContain("\0");
    const numbers = [...text.matchAll(/^line (\d+) end$/gm)].map(([, number]) => Number(number));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(numbers.at(-1)).toBe(60_000);
    expect(statSync(file).size).toBeLessThanOrEqual(bound);
  });
});

describe("the access log of a real Envoy", () => {
  let envoy: ServingEnvoy;
  afterEach(() => envoy.close());

  test("goes on after a cut", async () => {
    envoy = await startServingEnvoy({
      profile: "istio",
      pathNormalization: "base",
      protocolDetectionTimeoutMs: 0,
      maxConnectionDurationMs: 0,
      accessLog: { path: file, lines: "all" },
    });
    const empty = { enforced: false, policies: [] };
    await envoy.setPolicies({ authentication: { providers: [], origin: [] }, custom: empty, deny: empty, allow: empty });
    await envoy.send("/before");
    await until(() => readFileSync(file, "utf8").includes("/before"));
    expect(boundLog(file, 10)).toBe(true);
    await envoy.send("/after");
    await until(() => readFileSync(file, "utf8").includes("/after"));
    expect(readFileSync(file, "utf8")).toMatch(/^\{[^\n]*\/after[^\n]*\}\n$/);
    expect(readFileSync(file, "utf8")).not.toContain("/before");
  });
});

test("of proxies that are gone the newest logs stay, within bytes; one that is there is not counted", () => {
  for (const [index, name] of ["oldest", "older", "new"].entries()) {
    writeProxy(name, 400, 1000 + index);
  }
  writeProxy("there", 10_000, 1);
  writeFileSync(join(folder, "there", "spec.json"), "{}");
  writeFileSync(join(folder, "a stray file"), "x".repeat(10_000));
  dropOldProxies(folder, 900);
  expect(["oldest", "older", "new", "there"].filter((name) => existsSync(join(folder, name)))).toEqual(["older", "new", "there"]);
});

function writeProxy(name: string, bytes: number, atSeconds: number): void {
  mkdirSync(join(folder, name));
  const log = join(folder, name, "envoy.log");
  writeFileSync(log, "x".repeat(bytes));
  utimesSync(log, atSeconds, atSeconds);
}

async function until(isSo: () => boolean): Promise<void> {
  for (const end = performance.now() + 60_000; !isSo(); ) {
    if (performance.now() > end) throw new Error("not within a minute");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
