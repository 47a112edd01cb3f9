import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { declareDeployment as declare, KubeletWorld } from "../testing/kubelet-world.ts";
import { PROXY_CONFIG } from "../schema/proxy-config.ts";
import type { DeclaredResource } from "./resources.ts";

let world: KubeletWorld;

beforeEach(() => {
  world = new KubeletWorld();
  world.proxyReady = true;
});

afterEach(() => world.close());

const HANDLES_TERM = "trap 'echo told; exit 0' TERM; echo started; while :; do sleep 0.05; done";
const HANDLES_TERM_SLOWLY = "trap 'echo told; sleep 1; echo done; exit 0' TERM; echo started; while :; do sleep 0.05; done";
const IGNORES_TERM = "trap 'echo told' TERM; echo started; while :; do sleep 0.05; done";

const service = (name: string): DeclaredResource => ({
  kind: "Service",
  metadata: { name, namespace: "shop", labels: {}, annotations: {} },
  body: { spec: { selector: { app: name }, ports: [{ port: 80 }] } },
});

async function start(...resources: readonly DeclaredResource[]): Promise<void> {
  world.kubelet.setResources(resources);
  const count = resources.filter(({ kind }) => kind === "Deployment").length;
  await world.until(() => world.kubelet.pods.filter(({ ready }) => ready).length === count);
}

/** Takes all resources away; resolves with how long it took until the first pod was gone. */
async function stopAll(): Promise<number> {
  world.told.length = 0;
  const began = performance.now();
  world.kubelet.setResources([]);
  await world.until(() => world.told.includes("users removed"));
  return performance.now() - began;
}

describe("a pod that is wanted no more", () => {
  test("leaves the endpoints, then its proxy drains, then the application is told; the proxy ends when the application has", async () => {
    await start(declare(HANDLES_TERM_SLOWLY));
    await world.until(() => world.log().includes("started"));
    world.told.length = 0;
    world.kubelet.setResources([]);
    await world.until(() => world.log().includes("told"));
    expect(world.told).toEqual(["users not ready", "users endpoint gone", "users drains"]);
    await world.until(() => world.told.includes("users proxy ends"));
    expect(world.log()).toContain("done");
    await world.until(() => world.told.includes("users removed"));
    expect(world.told).toEqual(["users not ready", "users endpoint gone", "users drains", "users proxy ends", "users removed"]);
  });

  test("runs its preStop hook first, without the application being told", async () => {
    const lifecycle = { preStop: { exec: { command: ["sh", "-c", "echo hooked >> hook; sleep 0.3; cat hook"] } } };
    const script = `trap 'echo told after $(cat hook); exit 0' TERM; while :; do sleep 0.05; done`;
    await start(declare(script, { lifecycle }, "users", { terminationGracePeriodSeconds: 30 }));
    await stopAll();
    expect(world.log()).toContain("told after hooked");
  });

  test("is killed when its grace period is over", async () => {
    await start(declare(IGNORES_TERM, {}, "users", { terminationGracePeriodSeconds: 1 }));
    await world.until(() => world.log().includes("started"));
    expect(await stopAll()).toBeGreaterThanOrEqual(1000);
    expect(world.log()).toContain("told");
  });

  test("has its grace period counted from the beginning: a preStop hook that takes all of it leaves the 2 s that Kubernetes leaves", async () => {
    const lifecycle = { preStop: { sleep: { seconds: 600 } } };
    await start(declare(HANDLES_TERM, { lifecycle }, "users", { terminationGracePeriodSeconds: 1 }));
    await world.until(() => world.log().includes("started"));
    expect(await stopAll()).toBeGreaterThanOrEqual(1000);
    expect(world.log()).toContain("told");
  });

  test("doesn't start its application again when that ends during the hook, and doesn't wait for the hook", async () => {
    const lifecycle = { preStop: { exec: { command: ["sh", "-c", "touch leave; sleep 600"] } } };
    const script = "echo run; while [ ! -e leave ]; do sleep 0.05; done; exit 3";
    await start(declare(script, { lifecycle }, "users", { terminationGracePeriodSeconds: 600 }));
    await stopAll();
    expect(world.log().match(/run/g)).toHaveLength(1);
    expect(world.log()).not.toContain("starts again");
  });

  test("keeps its proxy for what is open when the application has ended, and no longer", async () => {
    const annotations = { [PROXY_CONFIG]: "terminationDrainDuration: 500s" };
    await start(declare(HANDLES_TERM, {}, "users", { annotations, terminationGracePeriodSeconds: 600 }));
    await world.until(() => world.log().includes("started"));
    world.open = { requests: 1, connections: 1 };
    world.told.length = 0;
    world.kubelet.setResources([]);
    await looksAfter(() => world.log().includes("told"));
    expect(world.told).not.toContain("users proxy ends");
    world.open = { requests: 0, connections: 1 };
    await world.until(() => world.told.includes("users proxy ends"));
  });
});

/** Waits for a condition, and until the proxy was looked at several times then. */
async function looksAfter(holds: () => boolean): Promise<void> {
  await world.until(holds);
  const enough = world.looks + 5;
  await world.until(() => world.looks >= enough);
}

describe("terminationDrainDuration", () => {
  const gateway = (config: object) =>
    declare("", {}, "users", {
      annotations: { "inject.istio.io/templates": "gateway", [PROXY_CONFIG]: JSON.stringify(config) },
      terminationGracePeriodSeconds: 600,
    });

  test("is how long open connections of a gateway may go on", async () => {
    await start(gateway({ terminationDrainDuration: "1s" }));
    world.open = { requests: 1, connections: 1 };
    expect(await stopAll()).toBeGreaterThanOrEqual(1000);
  });

  test("is not waited for where nothing is open", async () => {
    await start(gateway({ terminationDrainDuration: "500s" }));
    await stopAll();
    expect(world.told).toContain("users proxy ends");
  });

  test("is the mesh's where the Pod says nothing", async () => {
    const meshConfig: DeclaredResource = {
      kind: "MeshConfig",
      metadata: { name: "istio", namespace: "istio-system", labels: {}, annotations: {} },
      body: { defaultConfig: { terminationDrainDuration: "500s" } },
    };
    await start(meshConfig, gateway({}));
    world.open = { requests: 0, connections: 1 };
    world.told.length = 0;
    world.kubelet.setResources([meshConfig]);
    await looksAfter(() => world.told.includes("users drains"));
    expect(world.told).not.toContain("users proxy ends");
    world.open = { requests: 0, connections: 0 };
    await world.until(() => world.told.includes("users proxy ends"));
  });

  test("counts for nothing with the end at zero connections, which comes when the last one has closed", async () => {
    const proxyMetadata = { EXIT_ON_ZERO_ACTIVE_CONNECTIONS: "true", MINIMUM_DRAIN_DURATION: "0s" };
    await start(gateway({ terminationDrainDuration: "0s", proxyMetadata }));
    world.open = { requests: 0, connections: 1 };
    world.told.length = 0;
    world.kubelet.setResources([]);
    await looksAfter(() => world.told.includes("users drains"));
    expect(world.told).not.toContain("users proxy ends");
    world.open = { requests: 0, connections: 0 };
    await world.until(() => world.told.includes("users proxy ends"));
  });
});

describe("a mesh that stops", () => {
  test("ends callers before those whom they called or name, with all proxies and endpoints still there", async () => {
    world.calledHosts = { web: ["api.shop.svc.cluster.local"] };
    const last = (name: string, env: readonly object[] = []) =>
      declare(HANDLES_TERM_SLOWLY, { env }, name, { terminationGracePeriodSeconds: 60 });
    const named = last("api", [{ name: "USERS", value: "http://users.shop:80/v1" }]);
    await start(service("api"), service("users"), last("users"), named, last("web"));
    await world.until(() => ["users", "api", "web"].every((name) => world.log(name).includes("started")));
    world.told.length = 0;
    const stopped = world.kubelet.stop();
    await world.until(() => world.log("api").includes("told"));
    expect(world.log("web")).toContain("done");
    expect(world.log("users")).not.toContain("told");
    expect(world.told).toEqual(["web not ready"]);
    await world.until(() => world.log("users").includes("told"));
    expect(world.log("api")).toContain("done");
    await stopped;
    const order = world.told.map((line) => line.split(" ").slice(1).join(" "));
    expect(order.slice(0, 3)).toEqual(["not ready", "not ready", "not ready"]);
    expect(order.filter((what) => what === "proxy ends")).toHaveLength(3);
  });

  test("waits for no idle connection, and for no time that a Pod asks for although nothing is open", async () => {
    const proxyMetadata = { EXIT_ON_ZERO_ACTIVE_CONNECTIONS: "true", MINIMUM_DRAIN_DURATION: "500s" };
    const config = { [PROXY_CONFIG]: JSON.stringify({ proxyMetadata }) };
    const gateway = declare("", {}, "gateway", { annotations: { "inject.istio.io/templates": "gateway", ...config } });
    await start(gateway, declare(HANDLES_TERM, {}, "users", { annotations: config }));
    await world.until(() => world.log("users").includes("started"));
    world.open = { requests: 0, connections: 3 };
    await world.kubelet.stop();
    expect(world.told.filter((what) => what.endsWith("proxy ends")).toSorted()).toEqual(["gateway proxy ends", "users proxy ends"]);
  });

  test("says what it waits for: open requests of gateways first, then applications", async () => {
    const gateway = declare("", {}, "gateway", { annotations: { "inject.istio.io/templates": "gateway" } });
    const script = "trap 'echo told' TERM; echo started; while [ ! -e leave ]; do sleep 0.05; done";
    await start(gateway, declare(script, {}, "users", { terminationGracePeriodSeconds: 600 }));
    await world.until(() => world.log("users").includes("started"));
    world.open = { requests: 2, connections: 5 };
    const stopped = world.kubelet.stop();
    await world.until(() => world.told.includes("gateway drains"));
    expect(await world.kubelet.waitsFor()).toMatchObject([{ name: expect.stringMatching(/^gateway/), waitsFor: "connections", open: 2 }]);
    world.open = { requests: 0, connections: 5 };
    await world.until(() => world.log("users").includes("told"));
    expect(await world.kubelet.waitsFor()).toMatchObject([{ name: expect.stringMatching(/^users/), waitsFor: "application", open: 0 }]);
    writeFileSync(join(world.stateDir, "leave"), "");
    await stopped;
  });
});
