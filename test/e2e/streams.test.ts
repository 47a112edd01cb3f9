import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
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

async function podsOf(app: string): Promise<readonly { readonly name: string; readonly ready: boolean }[]> {
  const { stdout } = await kumiko(["get", "pods", "-n", "shop", "-l", `app=${app}`, "-o", "json"], mesh.dir);
  const { items } = JSON.parse(stdout) as { readonly items: readonly Pod[] };
  return items.map(({ metadata, status }) => ({
    name: metadata.name,
    ready: status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true,
  }));
}

/** Rolls a Deployment out; resolves when all its Pods are new and ready, but for those of before, which may still be on their way out. */
async function rollOut(app: string, until: "ready" | "gone"): Promise<readonly string[]> {
  const before = (await podsOf(app)).map(({ name }) => name);
  mesh.edit("k8s/shop.yaml", (text) => raiseRevision(text, app));
  await waitFor(`${app} is rolled out`, async () => {
    const now = await podsOf(app);
    const fresh = now.filter(({ name }) => !before.includes(name));
    return fresh.length === before.length && fresh.every(({ ready }) => ready) && (until === "ready" || now.length === fresh.length);
  });
  return before;
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
  await waitFor("the old Pod is gone", async () => (await podsOf("streams")).every(({ name }) => name !== old));
  expect(logOf(old)).toContain("the last call: 200");
});

test("when all stops, streams end complete, and an application's last call is answered", async () => {
  const port = mesh.ports[0] ?? 0;
  const [pod] = await podsOf("streams");
  const streams = openStreams(port);
  await waitFor("all have begun", () => streams.every(({ pieces }) => pieces() > 3));
  expect(await mesh.interrupt()).toBe(0);
  expect(await Promise.all(streams.map(({ ended }) => ended))).toEqual(streams.map(() => "complete"));
  expect(logOf(pod?.name ?? "")).toContain("the last call: 200");
  expect(mesh.output()).toMatch(/waits for .*streams/);
});
