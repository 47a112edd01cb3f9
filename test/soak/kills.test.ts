import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { soakRounds } from "../../src/testing/soak.ts";
import { kumiko } from "../e2e/harness/mesh.ts";
import { type Shop, startShop } from "../e2e/harness/shop.ts";
import { findProcesses } from "../e2e/harness/traces.ts";
import { waitFor } from "../e2e/harness/wait.ts";
import { startLoad } from "./load.ts";

const ROUNDS = soakRounds(2, 20);
const SWAPS = soakRounds(4, 50);
const PER_SECOND = 200;
/** A proxy is connected again by then. */
const RECONNECT_MS = 10_000;

let shop: Shop;

beforeAll(async () => {
  shop = await startShop();
});

afterAll(async () => {
  await shop?.mesh.stop();
  shop?.mesh.remove();
});

const load = () => startLoad({ port: shop.mesh.ports[0] ?? 0, host: "target.shop.test", perSecond: PER_SECOND });

interface Proxy {
  readonly ready: boolean;
  readonly config: { readonly kind: string };
}

async function allAcknowledged(): Promise<boolean> {
  const { stdout } = await kumiko(["status", "-o", "json"], shop.mesh.dir);
  const { proxies } = JSON.parse(stdout) as { proxies: readonly Proxy[] };
  return proxies.length > 0 && proxies.every(({ ready, config }) => ready && config.kind === "acknowledged");
}

const controlPlane = () => findProcesses(shop.mesh.pid, /main\.ts serve/);
const agents = () => findProcesses(shop.mesh.pid, /main\.ts agent --of-up/);
const envoys = (workload: string) => findProcesses(shop.mesh.pid, new RegExp(`^\\S*envoy .*/${workload}[^/]*/bootstrap\\.json`));

test("the control plane is killed again and again while the configuration changes: no request fails", async () => {
  const requests = load();
  const routes = join(shop.mesh.dir, "k8s/traffic.yaml");
  const before = readFileSync(routes, "utf8");
  const reconnectMs: number[] = [];
  for (let round = 0; round < Math.max(ROUNDS, SWAPS); round++) {
    const share = (round * 7) % 100;
    writeFileSync(
      routes,
      before
        .replace(/subset: v1 \}, weight: \d+/, `subset: v1 }, weight: ${100 - share}`)
        .replace(/subset: v2 \}, weight: \d+/, `subset: v2 }, weight: ${share}`),
    );
    if (round >= ROUNDS) {
      const until = requests.sent() + PER_SECOND;
      await waitFor("a second of requests", () => requests.sent() >= until);
      continue;
    }
    const [old = 0] = controlPlane();
    process.kill(old, "SIGKILL");
    const killedAt = performance.now();
    await waitFor("another one runs", () => controlPlane().some((pid) => pid !== old));
    await waitFor("all proxies are connected again", allAcknowledged);
    reconnectMs.push(Math.round(performance.now() - killedAt));
  }
  writeFileSync(routes, before);
  const tally = await requests.stop();
  console.log(`control plane: ${ROUNDS} kills, ${SWAPS} changes; all connected again after ${reconnectMs.join(", ")} ms`, tally);
  expect(Object.keys(tally.answers)).toEqual(["200"]);
  expect(Math.max(...reconnectMs)).toBeLessThanOrEqual(RECONNECT_MS);
});

test("the agent is killed again and again: no request fails, and its Envoys stay", async () => {
  const before = envoys("shop_target-v1");
  const requests = load();
  for (let round = 0; round < ROUNDS; round++) {
    const [old = 0] = agents();
    process.kill(old, "SIGKILL");
    await waitFor("another one runs", () => agents().some((pid) => pid !== old));
    await waitFor("all proxies are connected again", allAcknowledged);
  }
  const tally = await requests.stop();
  console.log(`agent: ${ROUNDS} kills`, tally);
  expect(Object.keys(tally.answers)).toEqual(["200"]);
  expect(envoys("shop_target-v1")).toEqual(before);
});

test("an Envoy is killed again and again: it is back within 2 s, and nothing else is touched", async () => {
  const outagesMs: number[] = [];
  const failed: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const requests = load();
    const [old = 0] = envoys("shop_target-v1");
    process.kill(old, "SIGKILL");
    await waitFor("another one runs", () => envoys("shop_target-v1").some((pid) => pid !== old));
    await waitFor("all proxies are ready", allAcknowledged);
    const until = requests.sent() + 2 * PER_SECOND;
    await waitFor("two seconds of requests", () => requests.sent() >= until);
    const tally = await requests.stop();
    outagesMs.push(tally.longestOutageMs);
    failed.push(Object.entries(tally.answers).reduce((sum, [answer, count]) => sum + (answer === "200" ? 0 : count), 0));
  }
  console.log(`Envoy: ${ROUNDS} kills; longest outages ${outagesMs.join(", ")} ms; failed ${failed.join(", ")}`);
  expect(Math.max(...outagesMs)).toBeLessThanOrEqual(2000);
});

test("a Deployment of three replicas is rolled out again and again: no request fails", async () => {
  const file = join(shop.mesh.dir, "k8s/shop.yaml");
  const before = readFileSync(file, "utf8");
  const selector = "selector: { matchLabels: { app: target, version: v1 } }";
  const rounds = soakRounds(2, 10);
  const requests = load();
  for (let round = 0; round <= rounds; round++) {
    writeFileSync(
      file,
      before
        .replace(selector, `replicas: 3\n  ${selector}`)
        .replace("{ name: VERSION, value: v1 }", `{ name: VERSION, value: v1 }\n            - { name: ROUND, value: "${round}" }`),
    );
    await waitFor(`rollout ${round} is over`, () => isRolledOut(round), { timeoutMs: 240_000 });
  }
  writeFileSync(file, before);
  const tally = await requests.stop();
  console.log(`${rounds} rollouts of three replicas`, tally);
  expect(Object.keys(tally.answers)).toEqual(["200"]);
});

/** Three applications of this round run, ready, and no other. */
async function isRolledOut(round: number): Promise<boolean> {
  const all = findProcesses(shop.mesh.pid, /^node workloads\/echo\.ts/, "HOSTNAME=target-v1");
  const own = findProcesses(shop.mesh.pid, /^node workloads\/echo\.ts/, `ROUND=${round}\0`);
  if (own.length !== 3 || all.length !== 3) return false;
  const { stdout } = await kumiko(["get", "pods", "-n", "shop", "-l", "version=v1,app=target", "-o", "json"], shop.mesh.dir);
  const { items } = JSON.parse(stdout) as { items: readonly { status: { conditions?: readonly { type: string; status: string }[] } }[] };
  return (
    items.length === 3 && items.every(({ status }) => status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True"))
  );
}
