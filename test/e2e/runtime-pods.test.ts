import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkSystem, type DeclaredResource, type ObservedPod } from "../../src/runtime/index.ts";
import { deployment, type RunningFixture, startFixture, until } from "./runtime-fixture/host.ts";

const system = checkSystem();
const metadata = (name: string) => ({ name, namespace: "shop", labels: {}, annotations: {} });

const SETTINGS: DeclaredResource = { kind: "ConfigMap", metadata: metadata("settings"), body: { data: { "app.yaml": "level: debug" } } };
const KEY: DeclaredResource = { kind: "Secret", metadata: metadata("key"), body: { data: { "tls.key": "a2V5" } } };

const LOOK = `
echo "config $(cat /etc/kumiko-test/app.yaml)"
echo "key $(cat /var/run/secrets/kumiko/tls.key) $(stat -c %a /var/run/secrets/kumiko/tls.key)"
echo "cache $(stat -f -c %T /tmp/cache)"
echo "host $(hostname) $(grep -c "$(hostname)" /etc/hosts)"
echo "resolver $(tr '\\n' ' ' < /etc/resolv.conf)"
echo "folder $PWD"
echo "root folder $(stat -f -c %T /data; touch /data/x && echo writable)"
echo "one file $(cat /etc/one.conf) beside $(test -e /etc/passwd && echo others)"
echo "over tmp $(stat -f -c %T /tmp) $(touch /tmp/x && echo writable) $(test -d "$PWD" && echo project)"
echo "read-only $(touch /etc/kumiko-test/y 2>&1)"
echo "small $(head -c 2000000 /dev/zero > /small/x 2>/dev/null || stat -c %s /small/x)"
echo "claim $(cat /claimed/kept 2>/dev/null || echo empty)"
echo more >> /claimed/kept
echo "labels $(grep app= /pod/labels)"
(sleep 1000 &) 
touch /tmp/ready
echo looked
exec sleep 1000`;

describe.skipIf(system.mode !== "namespaces" || system.missing.length > 0)("pods in namespaces", () => {
  let fixture: RunningFixture;
  let looker: ObservedPod;

  beforeAll(async () => {
    const image = { command: ["sh", "-c", LOOK], args: [], workingDir: "sub", env: {}, portEnv: undefined };
    fixture = await startFixture({ settings: { images: { "shop/looker": image } } });
    mkdirSync(join(fixture.options.folder, "sub"));
    const container = {
      readinessProbe: { exec: { command: ["test", "-e", "/tmp/ready"] } },
      volumeMounts: [
        { name: "config", mountPath: "/etc/kumiko-test" },
        { name: "key", mountPath: "/var/run/secrets/kumiko" },
        { name: "cache", mountPath: "/tmp/cache" },
        { name: "data", mountPath: "/data" },
        { name: "config", mountPath: "/etc/one.conf", subPath: "app.yaml" },
        { name: "temporary", mountPath: "/tmp" },
        { name: "small", mountPath: "/small" },
        { name: "claimed", mountPath: "/claimed", subPath: "sub" },
        { name: "pod", mountPath: "/pod" },
      ],
    };
    const volumes = [
      { name: "config", configMap: { name: "settings" } },
      { name: "key", secret: { secretName: "key" } },
      { name: "cache", emptyDir: {} },
      { name: "data", emptyDir: {} },
      { name: "temporary", emptyDir: {} },
      { name: "small", emptyDir: { sizeLimit: "1Mi" } },
      { name: "claimed", persistentVolumeClaim: { claimName: "disk" } },
      { name: "pod", downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } },
    ];
    fixture.set([SETTINGS, KEY, deployment("looker", { command: [], container, template: { volumes } })]);
    looker = await until("the pod is ready", () => fixture.pods().find(({ ready }) => ready)).catch((error: Error) => {
      throw new Error(
        `${error.message}: ${JSON.stringify(fixture.pods())} ${JSON.stringify(fixture.events.filter(({ kind }) => kind === "error"))}`,
      );
    });
  });

  afterAll(async () => {
    await fixture?.host.stop({ graceMs: 20_000 });
    if (fixture !== undefined) rmSync(fixture.root, { recursive: true, force: true });
  });

  test.each([
    ["config level: debug"],
    ["key key 600"],
    ["cache tmpfs"],
    [/host looker-\S+ 1/],
    ["resolver nameserver 10.96.0.10 search shop.svc.cluster.local svc.cluster.local cluster.local options ndots:5"],
    [/folder .*\/app\/sub/],
    [/root folder tmpfs\nwritable/],
    ["one file level: debug beside others"],
    ["over tmp tmpfs writable project"],
    [/read-only .*Read-only file system/],
    ["small 1048576"],
    ["claim empty"],
    ['labels app="looker"'],
  ])("an application finds what a container would: %s", (line) => {
    expect(fixture.log(looker)).toMatch(line);
  });

  test("a folder that was made for a volume exists in no file system of the machine", () => {
    expect(() => rmSync("/etc/kumiko-test")).toThrow(/ENOENT/);
  });

  test("a claim's folder stays when its pod goes, in the mesh's state", async () => {
    expect(readFileSync(join(fixture.options.stateDir, "claims/shop/disk/sub/kept"), "utf8")).toBe("more\n");
  });

  test("three replicas become ready, their addresses differ, and a smaller number frees some again", async () => {
    const server = (replicas: number) =>
      deployment("server", {
        command: ["python3", "-m", "http.server", "8080"],
        replicas,
        container: { readinessProbe: { tcpSocket: { port: 8080 } } },
      });
    const ready = () => fixture.pods().filter((pod) => pod.name.startsWith("server") && pod.ready);
    fixture.set([server(3)]);
    await until("three are ready", () => ready().length === 3);
    expect(new Set(ready().map(({ address }) => address)).size).toBe(3);
    fixture.set([server(1)]);
    await until("one is left", () => fixture.pods().length === 1);
    fixture.set([server(2)]);
    await until("two are ready", () => ready().length === 2);
  });
});
