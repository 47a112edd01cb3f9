import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { http } from "./harness/http.ts";
import { kumiko, type RunningMesh, startMesh } from "./harness/mesh.ts";
import { readStreamPlan, type WatchedStream, watchGrpc, watchResponse, watchWebSocket } from "./harness/streams.ts";
import { waitFor } from "./harness/wait.ts";

const plan = readStreamPlan(process.env);
const HOST = "streams.shop.test";

let mesh: RunningMesh;

beforeAll(async () => {
  mesh = await startMesh(fileURLToPath(new URL("streams-fixture", import.meta.url)));
});

afterAll(async () => {
  await mesh?.stop();
  mesh?.remove();
});

interface Pod {
  readonly metadata: { readonly name: string };
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

async function podsOf(selector: string, namespace = "shop"): Promise<readonly { readonly name: string; readonly ready: boolean }[]> {
  const { stdout } = await kumiko(["get", "pods", "-n", namespace, "-l", selector, "-o", "json"], mesh.dir);
  const { items } = JSON.parse(stdout) as { readonly items: readonly Pod[] };
  return items.map(({ metadata, status }) => ({
    name: metadata.name,
    ready: status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true,
  }));
}

/** Rolls a Deployment out; resolves when all its Pods are new and ready, but for those of before, which may still be on their way out. */
async function rollOut(app: string, until: "ready" | "gone"): Promise<readonly string[]> {
  const read = () => podsOf(`app=${app}`);
  const before = (await read()).map(({ name }) => name);
  mesh.edit("k8s/shop.yaml", (text) => raiseRevision(text, app));
  await rolledOut(app, { before, until, read });
  return before;
}

interface Rollout {
  readonly before: readonly string[];
  readonly until: "ready" | "gone";
  readonly read: () => ReturnType<typeof podsOf>;
}

async function rolledOut(what: string, { before, until, read }: Rollout): Promise<void> {
  await waitFor(`${what} is rolled out`, async () => {
    const now = await read();
    const fresh = now.filter(({ name }) => !before.includes(name));
    const old = now.filter(({ name }) => before.includes(name));
    const isDone = until === "gone" ? old.length === 0 : old.every(({ ready }) => !ready);
    return fresh.length === before.length && fresh.every(({ ready }) => ready) && isDone;
  });
}

function raiseRevision(manifests: string, app: string): string {
  const isMeant = (document: string) => document.includes("kind: Deployment") && document.includes(`name: ${app},`);
  const raise = (document: string) => document.replace(/REVISION, value: r(\d+)/, (_, n: string) => `REVISION, value: r${Number(n) + 1}`);
  const raised = manifests.split("---\n").map((document) => (isMeant(document) ? raise(document) : document));
  if (raised.join("---\n") === manifests) throw new Error(`there is no Deployment ${app} with a revision`);
  return raised.join("---\n");
}

function openStreams(port: number): readonly WatchedStream[] {
  return [
    watchResponse("SSE", `http://${HOST}/sse`, port),
    watchResponse("download", `http://${HOST}/download`, port),
    watchResponse("SSE from sidecar to sidecar", "http://passer.shop.test/sse", port),
    watchWebSocket(HOST, "/ws", port),
    watchGrpc(HOST, "/test.Streams/Watch", port),
  ];
}

const logOf = (pod: string) =>
  mesh
    .logs()
    .split("== ")
    .find((part) => part.split("\n")[0]?.endsWith(`/${pod}.log`)) ?? "";

test("streams go on while another workload is rolled out, and end complete when their own is", async () => {
  const port = mesh.ports[0] ?? 0;
  const began = performance.now();
  const streams = openStreams(port);
  const slow = http(`http://${HOST}/slow`, { port, method: "POST", body: "x", patienceMs: 240_000 });
  await waitFor("all have begun", () => streams.every(({ pieces }) => pieces() > 3), {
    explain: () => JSON.stringify(streams.map(({ name, pieces }) => [name, pieces()])),
  });
  for (let round = 0; round < plan.rollouts; round++) await rollOut("beside", "gone");
  await waitFor("they are old enough", () => performance.now() - began >= plan.seconds * 1000);
  const [old = ""] = await rollOut("streams", "ready");
  const ends = await Promise.all(streams.map(async ({ name, ended, longestGapMs }) => ({ name, end: await ended, gap: longestGapMs() })));
  console.log(
    `streams of ${((performance.now() - began) / 1000).toFixed(1)} s: ${ends.map(({ name, gap }) => `${name} ${gap} ms`).join(", ")}`,
  );
  expect(ends.map(({ name, end }) => `${name}: ${end}`)).toEqual(streams.map(({ name }) => `${name}: complete`));
  for (const { name, gap } of ends) expect(gap, name).toBeLessThanOrEqual(plan.longestGapMs);
  expect(await slow).toMatchObject({ status: 200, body: "complete" });
  await waitFor("the old Pod is gone", async () => (await podsOf("app=streams")).every(({ name }) => name !== old));
  expect(logOf(old)).toContain("the last call: 200");
});

describe("a gateway that is rolled out", () => {
  const gateways = () => podsOf("istio=ingressgateway", "edge");

  /** Gives the next gateway another ProxyConfig; resolves with the old one's name when the new one has taken over. */
  async function rollGatewayOut(config: string): Promise<string> {
    const [old] = await gateways();
    mesh.edit("k8s/edge.yaml", (text) => text.replace(/config: ".*" }/, `config: "${config}" }`));
    await rolledOut("the gateway", { before: [old?.name ?? ""], until: "ready", read: gateways });
    return old?.name ?? "";
  }

  const isGone = async (pod: string) => (await gateways()).every(({ name }) => name !== pod);
  const open = () => watchResponse("SSE", `http://${HOST}/sse`, mesh.ports[0] ?? 0);

  test.each([
    ["its terminationDrainDuration", "{ proxyMetadata: { EXIT_ON_ZERO_ACTIVE_CONNECTIONS: 'true', MINIMUM_DRAIN_DURATION: 1s } }"],
    ["EXIT_ON_ZERO_ACTIVE_CONNECTIONS", "terminationDrainDuration: 1s"],
  ])("by %s: open streams go on, new requests go to the next, and the old one ends with its last stream", async (_, next) => {
    const streams = [open(), watchWebSocket(HOST, "/ws", mesh.ports[0] ?? 0)];
    await waitFor("they have begun", () => streams.every(({ pieces }) => pieces() > 3));
    const old = await rollGatewayOut(next);
    expect((await http(`http://${HOST}/health`, { port: mesh.ports[0] ?? 0 })).status).toBe(200);
    const enough = Math.max(...streams.map(({ pieces }) => pieces())) + plan.piecesWhileDraining;
    await waitFor("they go on, longer than Istio's 5 s", () => streams.every(({ pieces }) => pieces() >= enough), { timeoutMs: 120_000 });
    expect(await isGone(old)).toBe(false);
    for (const stream of streams) stream.close();
    await waitFor("the old one is gone", () => isGone(old));
  });

  test("by a short terminationDrainDuration: what is open is cut then", async () => {
    const stream = open();
    await waitFor("it has begun", () => stream.pieces() > 3);
    const old = await rollGatewayOut("{}");
    expect(await stream.ended).toMatch(/^cut/);
    await waitFor("the old one is gone", () => isGone(old));
  });
});

test("when all stops, streams end complete, and an application's last call is answered", async () => {
  const port = mesh.ports[0] ?? 0;
  const [pod] = await podsOf("app=streams");
  const streams = openStreams(port);
  await waitFor("all have begun", () => streams.every(({ pieces }) => pieces() > 3));
  expect(await mesh.interrupt()).toBe(0);
  expect(await Promise.all(streams.map(({ ended }) => ended))).toEqual(streams.map(() => "complete"));
  expect(logOf(pod?.name ?? "")).toContain("the last call: 200");
  expect(mesh.output()).toMatch(/waits for .*streams/);
});
