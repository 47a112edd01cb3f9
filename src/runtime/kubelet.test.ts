import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { declareDeployment as declare, KubeletWorld } from "../testing/kubelet-world.ts";

let world: KubeletWorld;

beforeEach(() => {
  world = new KubeletWorld();
});

afterEach(() => world.close());

describe("Kubelet", () => {
  test("an application starts only when its proxy is ready, and the pod is ready then", async () => {
    world.kubelet.setResources([declare("echo started; sleep 60")]);
    await world.until(() => world.proxies.length === 1);
    expect(world.documents.values().next().value?.status).toMatchObject({ phase: "Pending", podIP: "127.0.0.1" });
    expect(world.log()).toBe("");
    world.proxyReady = true;
    await world.until(() => world.isReady());
    await world.until(() => world.log().includes("started"));
  });

  test("a proxy that is no longer ready takes its pod from the endpoints, and gives it back", async () => {
    world.proxyReady = true;
    world.kubelet.setResources([declare("sleep 60")]);
    await world.until(() => world.isReady());
    world.proxyReady = false;
    await world.until(() => !world.isReady());
    expect(world.kubelet.pods[0]?.message).toBe("proxy isn't ready");
    world.proxyReady = true;
    await world.until(() => world.isReady());
  });

  test("a control plane and an agent that fail are asked again", async () => {
    world.failing = true;
    world.proxyReady = true;
    world.kubelet.setResources([declare("sleep 60")]);
    await world.until(() => world.told.filter((line) => line === "put failed").length >= 2);
    expect(world.documents.size).toBe(0);
    world.failing = false;
    await world.until(() => world.isReady());
  });

  test("an agent that is not there yet is waited for, which is no fault of the pod's and nothing for its log", async () => {
    world.withoutAgent = true;
    world.proxyReady = true;
    world.kubelet.setResources([declare("echo started; sleep 60")]);
    await world.until(() => world.kubelet.pods[0]?.message === "waits for the agent");
    world.withoutAgent = false;
    await world.until(() => world.log().includes("started"));
    expect(world.log()).toBe("started\n");
  });

  test("however often a proxy changes while the agent fails, it is told once at a time, and in the end the newest", async () => {
    const putsThatFailed = () => world.told.filter((line) => line === "put failed").length;
    world.proxyReady = true;
    world.kubelet.setResources([declare("sleep 60")]);
    await world.until(() => world.isReady());
    world.failing = true;
    for (let i = 0; i < 20; i++) world.kubelet.refresh();
    expect(putsThatFailed()).toBe(1);
    world.failing = false;
    await world.until(() => world.proxies.length === 2);
  });

  test("a process that ends starts again, and counts", async () => {
    world.proxyReady = true;
    world.kubelet.setResources([declare("echo run; exit 3")]);
    await world.until(() => world.log().split("run\n").length > 2);
    expect(world.log()).toContain("exit code 3; starts again in 1 s");
    // Between its start and its end the process may count as ready: only that it doesn't stay so is promised.
    await world.until(() => !world.isReady());
    expect(world.kubelet.pods[0]?.restarts).toBeGreaterThanOrEqual(1);
  });

  test("init containers run in order, each to its good end, and sidecars among them run on; containers start when all have", async () => {
    world.proxyReady = true;
    const run = (name: string, script: string, more: object = {}) => ({ name, image: "x", command: ["sh", "-c", script], ...more });
    const initContainers = [
      run("first", "[ -e tried ] || { touch tried; echo first fails; exit 1; }; echo first"),
      run("beside", "echo beside; trap 'echo beside ends; exit' TERM; while :; do sleep 0.1; done", {
        restartPolicy: "Always",
        startupProbe: { exec: { command: ["test", "-e", "tried"] }, periodSeconds: 1 },
      }),
      run("second", "echo second"),
    ];
    const script = "echo main; trap 'echo main ends; exit' TERM; while :; do sleep 0.1; done";
    world.kubelet.setResources([declare(script, {}, "users", { initContainers })]);
    await world.until(() => world.log().includes("first fails"));
    await world.until(() => world.kubelet.pods[0]?.phase === "Pending" && world.kubelet.pods[0].message.startsWith("first: exit code 1"));
    await world.until(() => world.isReady());
    await world.until(() => world.log().includes("main\n"));
    await world.kubelet.stop();
    const lines = world
      .log()
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("[kumiko]"));
    expect(lines).toEqual(["first fails", "first", "beside", "second", "main", "main ends", "beside ends"]);
  });

  test("a pod whose init container goes on for ever can be stopped", async () => {
    world.proxyReady = true;
    const initContainers = [{ name: "waits", image: "x", command: ["sh", "-c", "echo waits; exec sleep 600"] }];
    world.kubelet.setResources([declare("echo main", {}, "users", { initContainers })]);
    await world.until(() => world.log().includes("waits"));
    await world.kubelet.stop();
    expect(world.kubelet.pods.map(({ terminating }) => terminating)).not.toContain(false);
    expect(world.log()).not.toContain("main");
  });

  test("a container is ready when its postStart hook has succeeded, and started again when it fails", async () => {
    world.proxyReady = true;
    const hook = "[ -e hooked ] || { touch hooked; exit 1; }";
    const lifecycle = { postStart: { exec: { command: ["sh", "-c", hook] } } };
    world.kubelet.setResources([declare("echo run; exec sleep 60", { lifecycle })]);
    await world.until(() => world.isReady());
    expect(world.log()).toContain("the postStart hook of app failed; it is started again");
    expect(world.kubelet.pods[0]?.restarts).toBe(1);
  });

  test("a failed liveness probe starts the process again", async () => {
    world.proxyReady = true;
    const livenessProbe = { exec: { command: ["false"] }, periodSeconds: 1, failureThreshold: 1 };
    world.kubelet.setResources([declare("echo run; exec sleep 60", { livenessProbe })]);
    await world.until(() => world.log().split("run\n").length > 2);
    expect(world.log()).toContain("a probe of app failed");
  });

  test("a pod whose Secret is missing waits, says why without naming a value, and runs when it is there", async () => {
    world.proxyReady = true;
    const env = [{ name: "PASSWORD", valueFrom: { secretKeyRef: { name: "db", key: "password" } } }];
    const deployment = declare('echo "length ${#PASSWORD}"; sleep 60', { env });
    world.kubelet.setResources([deployment]);
    await world.until(() => world.kubelet.pods[0]?.message.includes("Secret shop/db has no key password") === true);
    const secret = { kind: "Secret", metadata: { ...deployment.metadata, name: "db" }, body: { data: { password: "aHVudGVyMg==" } } };
    world.kubelet.setResources([deployment, secret]);
    await world.until(() => world.log().includes("length 7"));
    expect(JSON.stringify([...world.documents.values()])).not.toContain("hunter2");
  });

  test("a changed template is rolled out without a moment in which no pod is ready", async () => {
    world.proxyReady = true;
    world.kubelet.setResources([declare("sleep 60")]);
    await world.until(() => world.isReady());
    const [before] = world.kubelet.pods;
    world.kubelet.setResources([declare("sleep 61")]);
    let readyAtEachLook = true;
    await world.until(() => {
      readyAtEachLook &&= world.kubelet.pods.some(({ ready }) => ready);
      return world.kubelet.pods.length === 1 && world.kubelet.pods[0]?.name !== before?.name;
    });
    expect(readyAtEachLook).toBe(true);
  });

  test("a container's own command that is no program of this machine is a diagnostic that says how to map it, unless a volume brings it", () => {
    const own = { command: ["/app/server"], image: "shop/mapped:1.0" };
    world.kubelet.setResources([declare("", own, "mapped")]);
    expect(world.diagnostics).toMatchObject([
      { code: "KMK2010", help: 'add images: { "shop/mapped:1.0": { programs: { "/app/server": [...] } } } to kumiko.yaml' },
    ]);
    world.kubelet.setResources([declare("", { ...own, volumeMounts: [{ name: "app", mountPath: "/app/" }] }, "mapped")]);
    expect(world.diagnostics.filter(({ code }) => code === "KMK2010")).toEqual([]);
    world.kubelet.setResources([declare("", { ...own, command: ["/bin/sh"] }, "mapped")]);
    expect(world.diagnostics).toEqual([]);
  });

  test("an image without a command is a diagnostic with its resource, and stops nothing else", async () => {
    world.proxyReady = true;
    const unmapped = declare("", { command: [], image: "shop/unknown" }, "other");
    world.kubelet.setResources([unmapped, declare("sleep 60")]);
    expect(world.diagnostics).toMatchObject([{ code: "KMK2010", resource: { kind: "Deployment", namespace: "shop", name: "other" } }]);
    await world.until(() => world.kubelet.pods.some(({ name, ready }) => name.startsWith("users") && ready));
  });
});
