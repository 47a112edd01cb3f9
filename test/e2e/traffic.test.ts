import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkSystem } from "../../src/runtime/index.ts";
import { keepRequesting } from "./harness/http.ts";
import { kumiko } from "./harness/mesh.ts";
import { echoOf, type Shop, startShop } from "./harness/shop.ts";
import { proxyPorts, tryToShare } from "./harness/share-port.ts";
import { findProcesses } from "./harness/traces.ts";
import { waitFor } from "./harness/wait.ts";
import { openWebSocket } from "./harness/websocket.ts";

let shop: Shop;

beforeAll(async () => {
  shop = await startShop();
});

afterAll(async () => {
  await shop?.mesh.stop();
  shop?.mesh.remove();
});

const weights = (v1: number, v2: number) => (text: string) =>
  text
    .replace(/subset: v1 \}, weight: \d+/, `subset: v1 }, weight: ${v1}`)
    .replace(/subset: v2 \}, weight: \d+/, `subset: v2 }, weight: ${v2}`);

async function shareOfV2(requests: number): Promise<number> {
  const answers = await Promise.all(Array.from({ length: requests }, () => shop.call("http://target:8080/")));
  return answers.filter((answer) => answer.status === 200 && echoOf(answer.body).version === "v2").length / requests;
}

describe("identity on the way", () => {
  test("S1-03, DR17: the receiver learns the caller's SPIFFE id, and a forged one does not arrive", async () => {
    const answer = await shop.call("http://target:8080/", {
      headers: { "x-forwarded-client-cert": "URI=spiffe://cluster.local/ns/edge/sa/forged" },
    });
    expect(answer.status).toBe(200);
    const { headers } = echoOf(answer.status === 200 ? answer.body : "{}");
    expect(headers["x-forwarded-client-cert"]).toContain("URI=spiffe://cluster.local/ns/shop/sa/caller");
    expect(headers["x-forwarded-client-cert"]).not.toContain("forged");
  });

  test("S1-05: a workload that no policy allows gets 403", async () => {
    expect(await shop.call("http://target.shop:8080/", { from: "intruder" })).toMatchObject({ status: 403 });
  });

  test("DR8: a host that no ServiceEntry opens is not reached", async () => {
    const answer = await shop.call("http://outside.example/");
    expect(answer.error ?? answer.status).not.toBe(200);
  });

  test("S2-06: TCP passes by port, with mTLS, to who may", async () => {
    expect(await shop.dial("target", 9000)).toEqual({ end: "open", received: "hello\n" });
    expect((await shop.dial("target.shop", 9000, "intruder")).end).not.toBe("open");
  });
});

test.skipIf(checkSystem().mode !== "namespaces")(
  "no program of the application's user takes a port of its sidecar, TCP or UDP, whatever it asks the kernel for",
  () => {
    const ports = findProcesses(shop.mesh.pid, "--config-path").map((pid) => ({ pid, ports: proxyPorts(pid) }));
    const sidecar = ports.find((proxy) => proxy.ports.some(({ transport }) => transport === "udp"));
    const told = (sidecar?.ports ?? []).map((port) => [port.transport, port.port, tryToShare(sidecar?.pid ?? 0, port)]);
    const taken = ["EADDRINUSE", "EADDRINUSE", "EADDRINUSE"];
    expect(told.toSorted()).toEqual([
      ["tcp", 15_001, taken],
      ["tcp", 15_006, taken],
      ["udp", 15_053, taken],
    ]);
  },
);

describe("traffic rules", () => {
  test("S1-07: a retry hides one 503", async () => {
    const id = { "x-request-id": "5f0c3c4e-0000-4000-8000-000000000001", "x-echo-status": "503,200" };
    expect(await shop.call("http://target:8080/retried", { headers: id })).toMatchObject({ status: 200 });
    const other = { "x-request-id": "5f0c3c4e-0000-4000-8000-000000000002", "x-echo-status": "503,200" };
    expect(await shop.call("http://target:8080/plain", { headers: other })).toMatchObject({ status: 503 });
  });

  test("S1-07: a workload that always fails is ejected", async () => {
    await waitFor("only the good one answers", async () => {
      const answers = await Promise.all(Array.from({ length: 10 }, () => shop.call("http://pair:8080/")));
      return answers.every(({ status }) => status === 200);
    });
  });

  test("DR5: weights change while requests run: none fails, and the new share holds", async () => {
    expect(await shareOfV2(20)).toBe(0);
    const load = keepRequesting(() => shop.enter("target.shop.test", "/"));
    const inside = keepRequesting(async () => {
      const answer = await shop.call("http://target:8080/");
      return { status: answer.status ?? 0, headers: {}, body: "" };
    }, 2);
    for (const share of [20, 80, 50]) {
      shop.mesh.edit("k8s/traffic.yaml", weights(100 - share, share));
      await waitFor(`about ${share} % reach v2`, async () => Math.abs((await shareOfV2(100)) - share / 100) < 0.15);
    }
    expect(Object.keys((await load.stop()).byStatus)).toEqual(["200"]);
    expect(Object.keys((await inside.stop()).byStatus)).toEqual(["200"]);
    shop.mesh.edit("k8s/traffic.yaml", weights(100, 0));
    await waitFor("v1 has all again", async () => (await shareOfV2(20)) === 0);
  });
});

describe("what a change does not disturb", () => {
  test("an AuthorizationPolicy edited while a WebSocket is open leaves it open, and holds for new requests", async () => {
    const socket = await openWebSocket("target.shop.test", "/", shop.mesh.ports[0] ?? 0);
    expect(await socket.ask("hello")).toBe("hello");
    const policies = readFileSync(join(shop.mesh.dir, "k8s/policies.yaml"), "utf8");
    shop.mesh.edit("k8s/policies.yaml", (text) => text.replace(", cluster.local/ns/shop/sa/caller]", "]"));
    await waitFor("caller is refused", async () => (await shop.call("http://target:8080/")).status === 403);
    expect(await socket.ask("still there?")).toBe("still there?");
    shop.mesh.edit("k8s/policies.yaml", () => policies);
    await waitFor("caller may again", async () => (await shop.call("http://target:8080/")).status === 200);
    expect(await socket.ask("and now?")).toBe("and now?");
    socket.close();
  });

  test("a comment line added to every file sends nothing", async () => {
    const before = await acknowledged();
    const lines = await routesOf("caller");
    expect(lines).toContain("traffic.yaml:");
    const folder = join(shop.mesh.dir, "k8s");
    for (const file of readdirSync(folder)) writeFileSync(join(folder, file), `# a comment\n${readFileSync(join(folder, file), "utf8")}`);
    await waitFor("the new lines are shown", async () => (await routesOf("caller")) === oneLineDown(lines));
    expect(await acknowledged()).toEqual(before);
  });

  test("a wrong resource is reported with file:line, keeps its last good version, and everything else goes on", async () => {
    const good = readFileSync(join(shop.mesh.dir, "k8s/traffic.yaml"), "utf8");
    shop.mesh.edit("k8s/traffic.yaml", (text) => text.replace("attempts: 2", "attempts: many"));
    await waitFor("it is reported", async () => (await kumiko(["status"], shop.mesh.dir)).stdout.includes("traffic.yaml:"));
    expect(await shop.call("http://target:8080/")).toMatchObject({ status: 200 });
    shop.mesh.edit("k8s/policies.yaml", (text) => `${text}\n# edited while another file is wrong\n`);
    writeFileSync(join(shop.mesh.dir, "k8s/traffic.yaml"), "kind: [not, yaml");
    await waitFor("the torn file is reported", async () => (await kumiko(["status"], shop.mesh.dir)).stdout.includes("KMK0002"));
    expect(await shop.call("http://target:8080/")).toMatchObject({ status: 200 });
    writeFileSync(join(shop.mesh.dir, "k8s/traffic.yaml"), good);
    await waitFor("all is well again", async () => !(await kumiko(["status"], shop.mesh.dir)).stdout.includes("KMK0002"));
  });

  test("F1: the control plane is killed and comes back under requests: none fails", async () => {
    const load = keepRequesting(() => shop.enter("target.shop.test", "/"));
    const inside = keepRequesting(async () => ({ status: (await shop.call("http://target:8080/")).status ?? 0, headers: {}, body: "" }), 2);
    for (let round = 0; round < 3; round++) {
      const pid = await controlPlanePid();
      process.kill(pid, "SIGKILL");
      await waitFor("another control plane answers", async () => (await controlPlanePid()) !== pid);
      await waitFor(
        "all proxies are connected again",
        async () => !/disconnected|stale/i.test((await kumiko(["status"], shop.mesh.dir)).stdout),
      );
    }
    expect(Object.keys((await load.stop()).byStatus)).toEqual(["200"]);
    expect(Object.keys((await inside.stop()).byStatus)).toEqual(["200"]);
  });
});

async function controlPlanePid(): Promise<number> {
  const { stdout, code } = await kumiko(["status", "-o", "json"], shop.mesh.dir);
  if (code !== 0) throw new Error("the control plane does not answer");
  return (JSON.parse(stdout) as { pid: number }).pid;
}

/** What each proxy has acknowledged, by type. */
async function acknowledged(): Promise<unknown> {
  const { stdout } = await kumiko(["status", "-o", "json"], shop.mesh.dir);
  const { proxies } = JSON.parse(stdout) as { proxies: { name: string; config: { at?: string } }[] };
  return proxies.map(({ name, config }) => [name, config]);
}

/** Every `file.yaml:N` with N + 1. */
function oneLineDown(table: string): string {
  return table.replaceAll(/\.yaml:(\d+)/g, (_, line: string) => `.yaml:${Number(line) + 1}`);
}

async function routesOf(workload: string): Promise<string> {
  const { stdout: pods } = await kumiko(["get", "pods", "-n", "shop", "-l", `app=${workload}`, "-o", "name"], shop.mesh.dir);
  const pod = pods.trim().split("/").at(-1) ?? "";
  return (await kumiko(["proxy", "routes", pod, "-n", "shop"], shop.mesh.dir)).stdout;
}
