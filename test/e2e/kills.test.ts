import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { ask } from "../../src/controlplane/admin-client.ts";
import { keepRequesting } from "./harness/http.ts";
import { kumiko } from "./harness/mesh.ts";
import { type Echo, echoOf, type Shop, startShop } from "./harness/shop.ts";
import { findProcesses } from "./harness/traces.ts";
import { waitFor } from "./harness/wait.ts";

const WORKLOADS = 7;

let shop: Shop;

beforeAll(async () => {
  shop = await startShop();
});

afterAll(async () => {
  await shop?.mesh.stop();
  shop?.mesh.remove();
});

interface Proxy {
  readonly name: string;
  readonly ready: boolean;
  readonly config: { readonly kind: string };
  readonly certificate?: { readonly notBefore: string };
}

async function proxies(): Promise<readonly Proxy[]> {
  const { stdout } = await kumiko(["status", "-o", "json"], shop.mesh.dir);
  return (JSON.parse(stdout) as { proxies: readonly Proxy[] }).proxies;
}

async function allAcknowledged(): Promise<boolean> {
  const all = await proxies();
  return all.length === WORKLOADS && all.every(({ ready, config }) => ready && config.kind === "acknowledged");
}

const agents = () => findProcesses(shop.mesh.pid, /main\.ts agent --of-up/);
const envoys = (workload = "") => findProcesses(shop.mesh.pid, new RegExp(`^\\S*envoy .*/${workload}[^/]*/bootstrap\\.json`));
const applications = (pod: string) => findProcesses(shop.mesh.pid, /^node workloads\/echo\.ts/, `HOSTNAME=${pod}`);

/** Requests from outside and from a workload, until stopped; says which answers there were. */
function load(): { stop(): Promise<readonly string[]> } {
  const outside = keepRequesting(() => shop.enter("target.shop.test", "/"), 3);
  const inside = keepRequesting(async () => {
    const answer = await shop.call("http://target:8080/");
    if (answer.status === undefined) throw new Error(answer.error);
    return { status: answer.status, headers: {}, body: "" };
  }, 2);
  return {
    async stop() {
      const enough = outside.total() + 20;
      await waitFor("requests go on", () => outside.total() >= enough && inside.total() > 5);
      const [one, other] = await Promise.all([outside.stop(), inside.stop()]);
      return Object.keys({ ...one.byStatus, ...other.byStatus });
    },
  };
}

/** Which Pod of target-v1 answers, and with which version; undefined where none does. */
async function target(): Promise<Echo | undefined> {
  const answer = await shop.call("http://target:8080/");
  return answer.status === 200 ? echoOf(answer.body) : undefined;
}

const targetAnswers = async () => (await target()) !== undefined;

async function podsOf(version: string): Promise<readonly string[]> {
  const { stdout, stderr } = await kumiko(["get", "pods", "-n", "shop", "-l", `version=${version}`, "-o", "json"], shop.mesh.dir);
  if (stdout === "") throw new Error(stderr);
  const { items } = JSON.parse(stdout) as {
    items: readonly { metadata: { name: string }; status: { conditions?: readonly { type: string; status: string }[] } }[];
  };
  const isReady = ({ status }: (typeof items)[number]) =>
    status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True");
  return items.filter(isReady).map(({ metadata }) => metadata.name);
}

/** A change of a manifest that is taken back when the test ends. */
function edit(file: string, change: (text: string) => string): void {
  const before = readFileSync(join(shop.mesh.dir, file), "utf8");
  const after = change(before);
  expect(after).not.toBe(before);
  writeFileSync(join(shop.mesh.dir, file), after);
}

test("F20: the agent is killed: its Envoys serve on, the next agent adopts them, and no key is made anew", async () => {
  const before = { agents: agents(), envoys: envoys(), certificates: (await proxies()).map(({ certificate }) => certificate?.notBefore) };
  expect(before.agents).toHaveLength(1);
  expect(before.envoys).toHaveLength(WORKLOADS);
  const requests = load();
  process.kill(before.agents[0] ?? 0, "SIGKILL");
  await waitFor("another agent runs", () => agents().length === 1 && agents()[0] !== before.agents[0]);
  await waitFor("all proxies are connected again", allAcknowledged);
  expect(await requests.stop()).toEqual(["200"]);
  expect(envoys()).toEqual(before.envoys);
  expect((await proxies()).map(({ certificate }) => certificate?.notBefore)).toEqual(before.certificates);
  expect(shop.mesh.output()).toContain("the agent ended (SIGKILL) and starts again");
});

test("F19: an Envoy is killed: it comes back with its configuration, and serves within seconds", async () => {
  const [before = 0] = envoys("shop_target-v1");
  process.kill(before, "SIGKILL");
  await waitFor("another Envoy runs", () => envoys("shop_target-v1").some((pid) => pid !== before));
  await waitFor("it serves", targetAnswers);
  await waitFor("status says so", allAcknowledged);
  // The Pod may be seen as not ready, and its endpoint go, when the new Envoy already answers: served is who is served on end.
  await waitFor("many in a row are answered", () => answersInARow(500));
});

async function answersInARow(count: number): Promise<boolean> {
  for (let done = 0; done < count; done += 20) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => shop.call("http://target:8080/")));
    if (answers.some(({ status }) => status !== 200)) return false;
  }
  return true;
}

test("F2: with the control plane away, an Envoy that is killed comes back from the agent's last good copy, which is called stale", async () => {
  const { runDir, pid } = shop.mesh;
  // What it is handed over is away: it can't start again before that is back.
  const [handedOver, away] = [join(runDir, "serve.json"), join(runDir, "serve.json.away")];
  renameSync(handedOver, away);
  const [controlPlane = 0] = findProcesses(pid, /main\.ts serve/);
  process.kill(controlPlane, "SIGKILL");
  onTestFinished(() => void (existsSync(away) && renameSync(away, handedOver)));
  const [before = 0] = envoys("shop_target-v1");
  process.kill(before, "SIGKILL");
  await waitFor("another Envoy runs", () => envoys("shop_target-v1").some((other) => other !== before));
  await waitFor("it serves", targetAnswers);
  await waitFor("to who may", async () => (await shop.call("http://target.shop:8080/", { from: "intruder" })).status === 403);
  const requests = load();
  await waitFor("the agent calls it ready and stale", async () => {
    const { body } = await ask(join(runDir, "agent.sock"), "/proxies");
    const { items } = body as { items: readonly { name: string; ready: boolean; stale: boolean; connected: boolean }[] };
    const found = items.find(({ name }) => name.startsWith("target-v1"));
    return found?.ready === true && found.stale && !found.connected;
  });
  expect((await kumiko(["status"], shop.mesh.dir)).code).toBe(3);
  renameSync(away, handedOver);
  await waitFor("the control plane is back and has all proxies", allAcknowledged);
  expect(await requests.stop()).toEqual(["200"]);
});

test("a workload's process is killed: it starts again", async () => {
  const [pod = ""] = await podsOf("v1");
  const [before = 0] = applications(pod);
  process.kill(before, "SIGKILL");
  await waitFor("another process runs", () => applications(pod).some((pid) => pid !== before));
  await waitFor("the same Pod is ready again", async () => (await podsOf("v1"))[0] === pod);
  await waitFor("it answers", targetAnswers);
});

test("F18: a Deployment is scaled from 1 to 2 and back under requests: none fails", async () => {
  const replicas = (count: number) => (text: string) =>
    text.replace(/(?:replicas: \d\n {2})?selector: \{ matchLabels: \{ app: target, version: v1 \} \}/, (all) =>
      count === 1 ? all.replace(/replicas: \d\n {2}/, "") : `replicas: ${count}\n  ${all}`,
    );
  const requests = load();
  edit("k8s/shop.yaml", replicas(2));
  await waitFor("two are ready", async () => (await podsOf("v1")).length === 2);
  const seen = new Set<string>();
  await waitFor("both answer", async () => {
    seen.add((await target())?.workload ?? "");
    return seen.size === 2;
  });
  edit("k8s/shop.yaml", replicas(1));
  await waitFor(
    "one is left",
    async () =>
      (await kumiko(["get", "pods", "-n", "shop", "-l", "version=v1", "-o", "name"], shop.mesh.dir)).stdout.trim().split("\n").length === 1,
  );
  await waitFor("its Envoy is gone", () => envoys("shop_target-v1").length === 1);
  expect(await requests.stop()).toEqual(["200"]);
});

test("F18: a Deployment's environment changes under requests: the new Pod takes over, and none fails", async () => {
  const [before = ""] = await podsOf("v1");
  onTestFinished(() => edit("k8s/shop.yaml", (text) => text.replace("value: v1-next", "value: v1")));
  const requests = load();
  edit("k8s/shop.yaml", (text) => text.replace("{ name: VERSION, value: v1 }", "{ name: VERSION, value: v1-next }"));
  await waitFor("the new one alone answers", async () => (await target())?.version === "v1-next", {
    explain: () => `${shop.mesh.output()}\n${shop.mesh.logs().slice(-6000)}`,
  });
  await waitFor("the old one is gone", async () => {
    const pods = await podsOf("v1");
    return pods.length === 1 && pods[0] !== before && applications(before).length === 0;
  });
  expect(await requests.stop()).toEqual(["200"]);
});
