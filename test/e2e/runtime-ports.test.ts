import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { checkSystem, type DeclaredResource } from "../../src/runtime/index.ts";
import { deployment, descendants, type RunningFixture, startFixture, until } from "./runtime-fixture/host.ts";

/** Prints its environment, then answers on the port that it is told. */
const PROGRAM = `
console.log("ENV " + JSON.stringify(process.env));
require("node:http").createServer((_, answer) => answer.end(process.env.HOSTNAME)).listen(process.env.PORT, "127.0.0.1");`;

const SERVICE: DeclaredResource = {
  kind: "Service",
  metadata: { name: "users", namespace: "shop", labels: {}, annotations: {} },
  body: { spec: { selector: { app: "users" }, ports: [{ name: "http", port: 80, targetPort: 18_080 }] } },
};

describe("workloads without namespaces", () => {
  let fixture: RunningFixture;

  beforeAll(async () => {
    const image = { command: ["node", "-e", PROGRAM], args: [], workingDir: ".", env: {}, portEnv: "PORT" };
    fixture = await startFixture({ mode: "ports", settings: { images: { "shop/users": image } } });
    const users = deployment("users", {
      command: [],
      replicas: 2,
      container: { image: "shop/users:1.0", ports: [{ containerPort: 18_080 }], readinessProbe: { httpGet: { path: "/", port: 18_080 } } },
    });
    fixture.set([users, SERVICE]);
    await until("both replicas are ready", () => fixture.pods().length === 2 && fixture.pods().every(({ ready }) => ready)).catch(
      (error: Error) => {
        throw new Error(`${error.message}: ${JSON.stringify(fixture.pods())} ${JSON.stringify(fixture.events)}`);
      },
    );
  });

  afterAll(async () => {
    await fixture?.host.stop({ graceMs: 20_000 });
    if (fixture !== undefined) rmSync(fixture.root, { recursive: true, force: true });
  });

  test("the check says what is weaker", () => {
    expect(checkSystem(undefined, "ports").weaker.length).toBeGreaterThan(2);
  });

  test("two replicas listen on ports of their own, and answer", async () => {
    const answers = await Promise.all(
      fixture.pods().map(({ name, appPorts }) => fetchText(appPorts?.[18_080] ?? 18_080).then((text) => [name, text])),
    );
    for (const [name, text] of answers) expect(text).toBe(name);
  });

  test("each pod says on which port its sidecar takes an application's port, and no two are the same", () => {
    const pods = fixture.notes("pods").map(({ metadata }) => metadata as { name: string; annotations: Record<string, string> });
    const sidecarPorts = new Map(
      pods.map(({ name, annotations }) => [
        name,
        (JSON.parse(annotations["kumiko.dev/sidecar-ports"] ?? "{}") as Record<string, number>)["18080"],
      ]),
    );
    expect(new Set(sidecarPorts.values()).size).toBe(2);
    for (const port of sidecarPorts.values()) expect(port).toBeGreaterThanOrEqual(20_000);
  });

  test("Kubernetes' variables for a service lead to the pod's own sidecar", () => {
    for (const pod of fixture.pods()) {
      const env = JSON.parse(/ENV (.*)/.exec(fixture.log(pod))?.[1] ?? "{}") as Record<string, string>;
      const proxy = fixture.notes("proxies").findLast(({ name }) => name === pod.name) as {
        localPorts: Record<string, number>;
        localAddresses: Record<string, string>;
        capture: string;
      };
      expect(proxy.capture).toBe("none");
      expect(env["USERS_SERVICE_HOST"]).toMatch(/^127\./);
      expect(env["USERS_SERVICE_HOST"]).toBe(proxy.localAddresses["users.shop.svc.cluster.local"]);
      expect(env["USERS_SERVICE_PORT"]).toBe(String(proxy.localPorts["users.shop.svc.cluster.local:80"]));
    }
  });

  test("an application finds nothing of the caller's environment but what it needs", () => {
    const [pod] = fixture.pods();
    const env = pod === undefined ? {} : (JSON.parse(/ENV (.*)/.exec(fixture.log(pod))?.[1] ?? "{}") as Record<string, string>);
    expect(
      Object.keys(env)
        .filter((name) => !/SERVICE_(HOST|PORT)/.test(name))
        .toSorted(),
    ).toEqual(expect.arrayContaining(["HOME", "HOSTNAME", "LANG", "PATH", "PORT"]));
    expect(Object.keys(env)).not.toContain("VITEST");
  });

  test("scaling to nothing ends every process", async () => {
    fixture.set([SERVICE]);
    await until("no pod is left", () => fixture.pods().length === 0);
    await expect(fetchText(18_080)).rejects.toThrow(/ECONNREFUSED/);
    expect(existsSync(fixture.options.stateDir)).toBe(true);
  });
});

test("a parent that is killed with SIGKILL leaves no workload either, as long as the machine process lives", async () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "kumiko-e2e-")));
  const parent = spawn(process.execPath, [fileURLToPath(new URL("runtime-fixture/host.ts", import.meta.url)), root, "ports"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void parent.kill("SIGKILL"));
  let said = "";
  parent.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  await until("two pods run", () => said.includes("ready"));
  const pids = descendants(parent.pid ?? 0);
  expect(pids.length).toBeGreaterThanOrEqual(5);

  parent.kill("SIGKILL");

  await until("no process is left", () => pids.every((pid) => !existsSync(`/proc/${pid}`)));
  rmSync(root, { recursive: true, force: true });
});

function fetchText(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.once("end", () => resolve(text));
    }).once("error", reject);
  });
}
