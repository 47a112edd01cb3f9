import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Diagnostic } from "../model/diagnostic.ts";
import { Kubelet } from "./kubelet.ts";
import type { PodDocument } from "./pod.ts";
import { namespacePorts } from "./pod-ports.ts";
import type { ProxyRequest } from "./pod-run.ts";
import { createPortSandboxes } from "./port-sandbox.ts";
import type { DeclaredResource } from "./resources.ts";
import { systemPath } from "./system-path.ts";

let stateDir: string;
let world: World;

/** Fakes for control plane and agent, which remember what they were told and fail when asked to. */
interface World {
  readonly kubelet: Kubelet;
  readonly told: string[];
  readonly documents: Map<string, PodDocument>;
  readonly proxies: ProxyRequest[];
  diagnostics: readonly Diagnostic[];
  proxyReady: boolean;
  failing: boolean;
}

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "kumiko-kubelet-"));
  world = createWorld();
});

afterEach(async () => {
  world.failing = false;
  await world.kubelet.stop({ drainSeconds: 0 });
  rmSync(stateDir, { recursive: true, force: true });
});

describe("Kubelet", () => {
  test("an application starts only when its proxy is ready, and the pod is ready then", async () => {
    world.kubelet.setResources([declare("echo started; sleep 60")]);
    await until(() => world.proxies.length === 1);
    expect(world.documents.values().next().value?.status).toMatchObject({ phase: "Pending", podIP: "127.0.0.1" });
    expect(logOf()).toBe("");
    world.proxyReady = true;
    await until(() => isReady());
    await until(() => logOf().includes("started"));
  });

  test("a proxy that is no longer ready takes its pod from the endpoints, and gives it back", async () => {
    world.proxyReady = true;
    world.kubelet.setResources([declare("sleep 60")]);
    await until(() => isReady());
    world.proxyReady = false;
    await until(() => !isReady());
    expect(world.kubelet.pods[0]?.message).toBe("proxy isn't ready");
    world.proxyReady = true;
    await until(() => isReady());
  });

  test("a control plane and an agent that fail are asked again", async () => {
    world.failing = true;
    world.proxyReady = true;
    world.kubelet.setResources([declare("sleep 60")]);
    await until(() => world.told.filter((line) => line === "put failed").length >= 2);
    expect(world.documents.size).toBe(0);
    world.failing = false;
    await until(() => isReady());
  });

  test("what is stopped leaves the endpoints before its proxy drains, and drains before the process is told to end", async () => {
    world.proxyReady = true;
    world.kubelet.setResources([declare("trap 'echo told; exit 0' TERM; echo started; while :; do sleep 0.05; done")]);
    await until(() => logOf().includes("started"));
    world.told.length = 0;
    world.kubelet.setResources([]);
    await until(() => world.told.includes("removed"));
    expect(world.told).toEqual(["not ready", "endpoint gone", "drained before: started", "removed"]);
    expect(logOf()).toContain("told");
  });

  test("a process that ends starts again, and counts", async () => {
    world.proxyReady = true;
    world.kubelet.setResources([declare("echo run; exit 3")]);
    await until(() => logOf().split("run\n").length > 2);
    expect(logOf()).toContain("exit code 3; starts again in 1 s");
    // Between its start and its end the process may count as ready: only that it doesn't stay so is promised.
    await until(() => !isReady());
    expect(world.kubelet.pods[0]?.restarts).toBeGreaterThanOrEqual(1);
  });

  test("a failed liveness probe starts the process again", async () => {
    world.proxyReady = true;
    const livenessProbe = { exec: { command: ["false"] }, periodSeconds: 1, failureThreshold: 1 };
    world.kubelet.setResources([declare("echo run; exec sleep 60", { livenessProbe })]);
    await until(() => logOf().split("run\n").length > 2);
    expect(logOf()).toContain("a probe of app failed");
  });

  test("a pod whose Secret is missing waits, says why without naming a value, and runs when it is there", async () => {
    world.proxyReady = true;
    const env = [{ name: "PASSWORD", valueFrom: { secretKeyRef: { name: "db", key: "password" } } }];
    const deployment = declare('echo "length ${#PASSWORD}"; sleep 60', { env });
    world.kubelet.setResources([deployment]);
    await until(() => world.kubelet.pods[0]?.message.includes("Secret shop/db has no key password") === true);
    const secret = { kind: "Secret", metadata: { ...deployment.metadata, name: "db" }, body: { data: { password: "aHVudGVyMg==" } } };
    world.kubelet.setResources([deployment, secret]);
    await until(() => logOf().includes("length 7"));
    expect(JSON.stringify([...world.documents.values()])).not.toContain("hunter2");
  });

  test("a changed template is rolled out without a moment in which no pod is ready", async () => {
    world.proxyReady = true;
    world.kubelet.setResources([declare("sleep 60")]);
    await until(() => isReady());
    const [before] = world.kubelet.pods;
    world.kubelet.setResources([declare("sleep 61")]);
    let readyAtEachLook = true;
    await until(() => {
      readyAtEachLook &&= world.kubelet.pods.some(({ ready }) => ready);
      return world.kubelet.pods.length === 1 && world.kubelet.pods[0]?.name !== before?.name;
    });
    expect(readyAtEachLook).toBe(true);
  });

  test("an image without a command is a diagnostic with its resource, and stops nothing else", async () => {
    world.proxyReady = true;
    const unmapped = declare("", { command: [], image: "shop/unknown" }, "other");
    world.kubelet.setResources([unmapped, declare("sleep 60")]);
    expect(world.diagnostics).toMatchObject([{ code: "KMK2010", resource: { kind: "Deployment", namespace: "shop", name: "other" } }]);
    await until(() => world.kubelet.pods.some(({ name, ready }) => name.startsWith("users") && ready));
  });
});

function createWorld(): World {
  const fail = (what: string) => {
    if (!world.failing) return;
    world.told.push(`${what} failed`);
    throw new Error(`${what} failed`);
  };
  const kubelet = new Kubelet({
    sandboxes: createPortSandboxes(),
    ports: namespacePorts,
    images: () => ({}),
    folder: stateDir,
    stateDir,
    baseEnv: { PATH: systemPath() },
    drainSeconds: 0,
    onDiagnostics: (diagnostics) => {
      world.diagnostics = diagnostics;
    },
    agent: {
      put: async (request) => {
        fail("put");
        world.proxies.push(request);
      },
      remove: async () => void world.told.push(`drained before: ${logOf().trim()}`),
      ready: async () => world.proxyReady,
    },
    reports: {
      reportPod: async (pod) => {
        fail("report");
        world.documents.set(pod.metadata.name, pod);
        if (JSON.stringify(pod.status).includes('"False"')) world.told.push("not ready");
      },
      endpointGone: async () => void world.told.push("endpoint gone"),
      removePod: async () => void world.told.push("removed"),
    },
  });
  return { kubelet, told: [], documents: new Map(), proxies: [], diagnostics: [], proxyReady: false, failing: false };
}

function declare(script: string, container: object = {}, name = "users"): DeclaredResource {
  const app = { name: "app", image: `shop/${name}`, command: ["sh", "-c", script], ...container };
  return {
    kind: "Deployment",
    metadata: { name, namespace: "shop", labels: {}, annotations: {} },
    body: { spec: { template: { metadata: { labels: { app: name } }, spec: { containers: [app], terminationGracePeriodSeconds: 2 } } } },
  };
}

function isReady(): boolean {
  const [document] = [...world.documents.values()].slice(-1);
  return JSON.stringify(document?.status["conditions"] ?? "").includes('"True"');
}

function logOf(): string {
  const [name = ""] = [...world.documents.keys()];
  try {
    return readFileSync(join(stateDir, "logs/shop", `${name}.log`), "utf8");
  } catch {
    return "";
  }
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!holds()) {
    if (performance.now() > deadline)
      throw new Error(`not within 60 s: ${JSON.stringify({ pods: world.kubelet.pods, told: world.told, log: logOf() })}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
