import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { soakRounds } from "../../src/testing/soak.ts";
import { type Shop, startShop } from "../e2e/harness/shop.ts";
import { findProcesses } from "../e2e/harness/traces.ts";
import { waitFor } from "../e2e/harness/wait.ts";
import { startLoad } from "./load.ts";

/** An hour; KUMIKO_SOAK_SECONDS says another time. */
const SECONDS = Number(process.env["KUMIKO_SOAK_SECONDS"] ?? soakRounds(40, 3600));
const SAMPLES = 20;
const MIB = 1024 * 1024;

let shop: Shop;

beforeAll(async () => {
  shop = await startShop();
});

afterAll(async () => {
  await shop?.mesh.stop();
  shop?.mesh.remove();
});

const PROGRAMS = {
  up: () => [shop.mesh.pid],
  "control plane": () => findProcesses(shop.mesh.pid, /main\.ts serve/),
  machine: () => findProcesses(shop.mesh.pid, /main\.ts machine/),
  agent: () => findProcesses(shop.mesh.pid, /main\.ts agent --of-up/),
  Envoys: () => findProcesses(shop.mesh.pid, /^\S*envoy .*bootstrap\.json/),
} as const;

interface Sample {
  readonly seconds: number;
  readonly rss: Readonly<Record<string, number>>;
  readonly descriptors: Readonly<Record<string, number>>;
  readonly stateBytes: number;
}

test("under requests and changes, memory, descriptors and files stay as they are after warm-up", {
  timeout: (SECONDS + 300) * 1000,
}, async () => {
  const requests = startLoad({ port: shop.mesh.ports[0] ?? 0, host: "target.shop.test", perSecond: 100 });
  const samples: Sample[] = [];
  const startedAt = performance.now();
  let changes = 0;
  const elapsed = () => (performance.now() - startedAt) / 1000;
  await waitFor(
    "the time is over",
    () => {
      for (; changes < elapsed() * 5; changes++) change(changes);
      if (elapsed() >= (samples.length * SECONDS) / SAMPLES) samples.push(sample(elapsed()));
      return samples.length > SAMPLES;
    },
    { timeoutMs: (SECONDS + 200) * 1000 },
  );
  const { answers } = await requests.stop();
  const steady = samples.slice(SAMPLES / 4);
  console.table(
    steady.map(({ seconds, rss, descriptors, stateBytes }) => ({
      s: Math.round(seconds),
      ...Object.fromEntries(Object.entries(rss).map(([name, bytes]) => [`${name} MB`, Math.round(bytes / MIB)])),
      ...Object.fromEntries(Object.entries(descriptors).map(([name, count]) => [`${name} fds`, count])),
      "state MB": Math.round(stateBytes / MIB),
    })),
  );
  console.log(`${SECONDS} s, ${changes} changes`, answers);
  expect(Object.keys(answers)).toEqual(["200"]);
  for (const name of Object.keys(PROGRAMS)) {
    const slope = slopeOf(steady.map(({ seconds, rss }) => [seconds / 60, (rss[name] ?? 0) / MIB]));
    console.log(`${name}: ${slope.toFixed(2)} MB a minute`);
    // Over minutes a garbage collector's steps are larger than any leak.
    if (SECONDS >= 1800) expect(slope, name).toBeLessThanOrEqual(1);
    const [first, last] = [steady.at(0)?.descriptors[name] ?? 0, steady.at(-1)?.descriptors[name] ?? 0];
    expect(last, `descriptors of ${name}`).toBeLessThanOrEqual(first + 20);
  }
  // 20 MB for each proxy and as much for each pod's own log, and 64 MB each of those that are gone.
  expect(steady.at(-1)?.stateBytes).toBeLessThan(7 * 40 * MIB + 128 * MIB);
});

/** A weight, a policy's comment or a label of a rule, in turn. */
function change(turn: number): void {
  const file = join(shop.mesh.dir, "k8s/traffic.yaml");
  const text = readFileSync(file, "utf8");
  const share = turn % 50;
  writeFileSync(
    file,
    text
      .replace(/subset: v1 \}, weight: \d+/, `subset: v1 }, weight: ${100 - share}`)
      .replace(/subset: v2 \}, weight: \d+/, `subset: v2 }, weight: ${share}`),
  );
}

function sample(seconds: number): Sample {
  const pids = Object.entries(PROGRAMS).map(([name, find]) => [name, find()] as const);
  return {
    seconds,
    rss: Object.fromEntries(pids.map(([name, all]) => [name, all.reduce((sum, pid) => sum + rssOf(pid), 0)])),
    descriptors: Object.fromEntries(pids.map(([name, all]) => [name, all.reduce((sum, pid) => sum + descriptorsOf(pid), 0)])),
    stateBytes: bytesUnder(join(shop.mesh.dir, ".kumiko")),
  };
}

function rssOf(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
  return pages * 4096;
}

function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function bytesUnder(folder: string): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + (statSync(join(parentPath, name), { throwIfNoEntry: false })?.size ?? 0), 0);
}

/** Least squares: how much the second number grows with the first. */
function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanX, meanY] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const over = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return over / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}
