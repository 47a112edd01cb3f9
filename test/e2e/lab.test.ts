import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type RouteConfiguration, RouteConfigurationSchema } from "../../src/gen/envoy/config/route/v3/route_pb.js";
import type { Proxy } from "../../src/model/proxy.ts";
import { encodeResource } from "../../src/translate/envoy/any.ts";
import type { Snapshot } from "../../src/translate/index.ts";
import type { ClientReport } from "../../src/meshtest/real/exchange.ts";
import type { Lab, RunningMesh } from "../../src/meshtest/real/lab.ts";
import { openTestLab, type WrittenMesh, writtenMesh } from "./harness/lab-mesh.ts";
import { waitFor } from "./harness/wait.ts";

/** Two sidecars, a gateway, a host outside; `allowed` may write to the cart. */
const shop = ({ allowed = "web", route = "cart" } = {}) => `
apiVersion: kumiko.dev/v1alpha1
kind: MeshTest
metadata: {name: shop, namespace: shop}
spec:
  workloads:
    - {name: web, labels: {app: web}, serviceAccount: web, ports: [8080]}
    - {name: cart, labels: {app: cart}, serviceAccount: cart, ports: [8080, 9000]}
    - {name: edge, namespace: istio-system, labels: {istio: ingressgateway}, serviceAccount: edge, ports: [8080]}
  calls:
    - {name: in the mesh, from: {workload: web}, request: {url: "http://cart:8080/items"}, expect: {status: 200}}
    - {name: twenty, from: {workload: web}, request: {url: "http://cart:8080/items", repeat: 20, concurrency: 5}, expect: {status: 200}}
    - {name: bytes, from: {workload: web}, request: {url: "tcp://cart:9000"}, expect: {connection: open}}
    - {name: by the gateway, from: {gateway: edge, clientIp: 203.0.113.9}, request: {url: "http://shop.example.com:8080/a"}, expect: {status: 200}}
    - {name: outside, from: {workload: web}, request: {url: "http://api.example.com/v1"}, expect: {status: 200}}
    - {name: around the sidecar, from: {outside: cart}, request: {url: "http://cart:8080/"}, expect: {connection: closed}}
---
apiVersion: v1
kind: Service
metadata: {name: cart}
spec: {selector: {app: cart}, ports: [{name: http, port: 8080}, {name: tcp, port: 9000}]}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: cart}
spec:
  selector: {matchLabels: {app: cart}}
  rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/${allowed}, cluster.local/ns/istio-system/sa/edge]}}]}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api}
spec: {hosts: [api.example.com], location: MESH_EXTERNAL, resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge}
spec:
  hosts: [shop.example.com]
  gateways: [istio-system/edge]
  http: [{route: [{destination: {host: ${route}, port: {number: 8080}}}]}]
`;

const identity = (namespace: string, name: string) => `spiffe://cluster.local/ns/${namespace}/sa/${name}`;

let folder: string;
let lab: Lab;
let mesh: WrittenMesh;
let running: RunningMesh;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kml-"));
  lab = await openTestLab(folder);
  mesh = await writtenMesh(shop());
  running = await lab.open(mesh.lab);
});

afterAll(async () => {
  await lab?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a request passes two sidecars by mutual TLS, and both say so", async () => {
  const { reports, arrivals, log } = await mesh.send(running, "in the mesh");
  expect(reports.map(statusOf)).toEqual([200]);
  expect(arrivals.map(({ at, request }) => [at, request?.path])).toEqual([["shop/cart", "/items"]]);
  expect(headerOf(arrivals[0]?.request?.headers, "x-forwarded-client-cert")).toContain(`URI=${identity("shop", "web")}`);
  expect(log).toMatchObject([
    { workload: { name: "web" }, of: "request", direction: "outbound", cluster: "outbound|8080||cart.shop.svc.cluster.local", status: 200 },
    { workload: { name: "cart" }, of: "request", direction: "inbound", peerPrincipal: identity("shop", "web"), status: 200 },
  ]);
});

test("requests that go out together are all accounted for", async () => {
  const { reports, arrivals, log } = await mesh.send(running, "twenty");
  expect(reports.map(statusOf)).toEqual(Array(20).fill(200));
  expect([arrivals.length, log.length]).toEqual([20, 40]);
});

test("bytes pass, and the caller is known", async () => {
  const { reports, arrivals, log } = await mesh.send(running, "bytes");
  expect(reports).toMatchObject([{ kind: "open" }]);
  expect(arrivals).toMatchObject([{ at: "shop/cart", port: 9000 }]);
  expect(log).toMatchObject([
    { of: "tcp", direction: "outbound" },
    { of: "tcp", direction: "inbound", peerPrincipal: identity("shop", "web") },
  ]);
});

test("a client outside enters by the gateway from an address of its own", async () => {
  const { reports, arrivals, log } = await mesh.send(running, "by the gateway");
  expect(reports.map(statusOf)).toEqual([200]);
  expect(headerOf(arrivals[0]?.request?.headers, "x-forwarded-for")).toBe("203.0.113.9");
  expect(log).toMatchObject([{ direction: "gateway" }, { direction: "inbound", peerPrincipal: identity("istio-system", "edge") }]);
});

test("a host outside is found by its name and answers as itself", async () => {
  const { reports, arrivals, log } = await mesh.send(running, "outside");
  expect(reports.map(statusOf)).toEqual([200]);
  expect(arrivals).toMatchObject([{ at: "external:api.example.com", request: { authority: "api.example.com" } }]);
  expect(log).toMatchObject([{ direction: "outbound", cluster: "outbound|80||api.example.com" }]);
});

test("who goes around the sidecar is cut off, and the proxy says why", async () => {
  const { reports, arrivals, log } = await mesh.send(running, "around the sidecar");
  expect(reports).toMatchObject([{ kind: "closed" }]);
  expect(arrivals).toEqual([]);
  expect(log).toMatchObject([{ of: "connection", direction: "inbound", details: "filter_chain_not_found" }]);
});

test("an update is in force when it resolves: for a policy, for a route, and back", async () => {
  const denied = await writtenMesh(shop({ allowed: "nobody" }));
  await running.update(denied.lab);
  const { reports, log } = await mesh.send(running, "in the mesh");
  expect(reports.map(statusOf)).toEqual([403]);
  expect(log.at(-1)).toMatchObject({ direction: "inbound", details: expect.stringContaining("rbac_access_denied") as string });

  await running.update((await writtenMesh(shop({ route: "nowhere" }))).lab);
  expect((await mesh.send(running, "by the gateway")).reports.map(statusOf)).toEqual([503]);
  await running.update(mesh.lab);
  expect((await mesh.send(running, "by the gateway")).reports.map(statusOf)).toEqual([200]);
  expect((await mesh.send(running, "in the mesh")).reports.map(statusOf)).toEqual([200]);
});

test("what an Envoy refuses is said by name, and the mesh goes on with the next update", async () => {
  await expect(running.update({ ...mesh.lab, snapshotFor: withBrokenRoutes })).rejects.toThrow(
    /the Envoy of \S+ refused the route \S+: .*(duplicate|unique)/i,
  );
  await running.update(mesh.lab);
  expect((await mesh.send(running, "in the mesh")).reports.map(statusOf)).toEqual([200]);
});

test("meshes with the same addresses run side by side", async () => {
  const denied = await writtenMesh(shop({ allowed: "nobody" }));
  const other = await lab.open(denied.lab);
  const [one, two] = await Promise.all([mesh.send(running, "in the mesh"), denied.send(other, "in the mesh")]);
  await other.close();
  expect([one, two].map(({ reports }) => reports.map(statusOf))).toEqual([[200], [403]]);
});

test("an Envoy that ends is an error of the exchange, by name", async () => {
  const other = await lab.open(mesh.lab);
  const [envoy] = processesOf(folder).filter(({ command }) => command.includes("/m3/b0.json"));
  process.kill(envoy?.pid ?? 0, "SIGKILL");
  await expect(mesh.send(other, "in the mesh")).rejects.toThrow(/the Envoy of shop\/web ended: SIGKILL/);
  await other.close();
});

test("an Envoy that does not run here is said at once", async () => {
  const broken = await openTestLab(folder, { envoyPath: "/bin/false" });
  onTestFinished(() => broken.close());
  await expect(broken.open(mesh.lab)).rejects.toThrow(/the Envoy of \S+ ended: exit code 1/);
});

test("a lab that closes while a mesh opens ends both", async () => {
  const own = mkdtempSync(join(tmpdir(), "kml-"));
  onTestFinished(() => rmSync(own, { recursive: true, force: true }));
  const closing = await openTestLab(own);
  const opening = closing.open(mesh.lab).then(
    () => "opened",
    (error: Error) => error.message,
  );
  await waitFor("something has started", () => processesOf(own).length > 0);
  await closing.close();
  expect(await opening).toMatch(/closed/);
  await expect(closing.open(mesh.lab)).rejects.toThrow("the lab is closed");
  expect([processesOf(own), labFolders(own)]).toEqual([[], []]);
});

test("nothing is left after a close", async () => {
  const own = mkdtempSync(join(tmpdir(), "kml-"));
  onTestFinished(() => rmSync(own, { recursive: true, force: true }));
  const closing = await openTestLab(own);
  await closing.open(mesh.lab);
  expect(processesOf(own).length).toBeGreaterThan(3);
  await closing.close();
  expect(processesOf(own)).toEqual([]);
  expect(labFolders(own)).toEqual([]);
});

test.each(["SIGKILL", "SIGINT"] as const)("nothing is left after %s", async (signal) => {
  const own = mkdtempSync(join(tmpdir(), "kml-"));
  onTestFinished(() => rmSync(own, { recursive: true, force: true }));
  const held = spawn(process.execPath, [fileURLToPath(new URL("harness/hold-lab.ts", import.meta.url)), own], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  held.stdin.end(shop());
  await once(held.stdout, "data");
  expect(processesOf(own).length).toBeGreaterThan(3);
  held.kill(signal);
  await once(held, "exit");
  await waitFor("all processes are gone", () => processesOf(own).length === 0);
  await waitFor("the folder is gone", () => labFolders(own).length === 0);
});

/** Two virtual hosts of one name in each route configuration. */
function withBrokenRoutes(proxy: Proxy): Snapshot {
  const snapshot = mesh.lab.snapshotFor(proxy);
  const routes = [...(snapshot.get("route") ?? [])].map(([name, resource]) => {
    const { virtualHosts, ...rest } = resource.message as RouteConfiguration;
    const message = create(RouteConfigurationSchema, { ...rest, virtualHosts: [...virtualHosts, ...virtualHosts] });
    return [name, encodeResource(RouteConfigurationSchema, message, resource)] as const;
  });
  return new Map([...snapshot, ["route", new Map(routes)]]);
}

function statusOf(report: ClientReport): number | undefined {
  return report.kind === "response" ? report.status : undefined;
}

function headerOf(headers: readonly (readonly [string, string])[] | undefined, name: string): string | undefined {
  return headers?.find(([known]) => known === name)?.[1];
}

/** Processes that were started with a path under this folder. */
function processesOf(under: string): readonly { readonly pid: number; readonly command: string }[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      return command.includes(`${under}/`) ? [{ pid: Number(pid), command }] : [];
    } catch {
      return [];
    }
  });
}

function labFolders(under: string): readonly string[] {
  return readdirSync(under).flatMap((user) => (existsSync(join(under, user)) ? readdirSync(join(under, user)) : []));
}
