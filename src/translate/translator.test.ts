import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { partCounts } from "../base/part.ts";
import { createMesh, toDiagnostics } from "../mesh/index.ts";
import { refOf } from "../model/resource.ts";
import { largeResources, withEditedRoute } from "../testing/large-mesh.ts";
import { locateIn, meshOf, resourcesOf, router, sidecar } from "../testing/mesh.ts";
import { createTranslator, findDanglingReferences, type Snapshot } from "./index.ts";

const SHOP = `
apiVersion: v1
kind: Service
metadata: { name: users, namespace: shop }
spec: { selector: { app: users }, ports: [{ port: 80, name: http }, { port: 7000 }] }
---
apiVersion: v1
kind: Service
metadata: { name: db, namespace: data }
spec: { selector: { app: db }, ports: [{ port: 5432, name: tcp }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: users, namespace: shop }
spec:
  hosts: [users, user.example.com]
  gateways: [mesh, istio-system/main]
  http:
    - match: [{ uri: { prefix: /a } }]
      route: [{ destination: { host: users, subset: v9, port: { number: 80 } } }]
      mirror: { host: nobody }
    - route: [{ destination: { host: users, port: { number: 80 } } }]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: main, namespace: istio-system }
spec: { selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }
`;

const versions = (snapshot: Snapshot) =>
  [...snapshot.values()].flatMap((byName) => [...byName.values()].map(({ type, name, version }) => `${type}/${name} ${version}`));

describe("createTranslator", () => {
  test.each([
    { title: "a sidecar", proxy: sidecar() },
    { title: "a gateway", proxy: router() },
    {
      title: "a sidecar without capture",
      proxy: sidecar({
        capture: "none",
        dnsCapture: false,
        localPorts: { "users.shop.svc.cluster.local:80": 31_080, "users.shop.svc.cluster.local:7000": 31_081 },
      }),
    },
  ])("nothing that $title is sent names something that is not there", ({ proxy }) => {
    expect(findDanglingReferences(createTranslator().translate(meshOf(SHOP), proxy).snapshot)).toEqual([]);
  });

  test("a name that is not there is found", () => {
    const { snapshot } = createTranslator().translate(meshOf(SHOP), sidecar());
    const without = new Map([...snapshot, ["cluster", new Map()] as const]);
    expect(findDanglingReferences(without)).toContainEqual({
      from: { type: "listener", name: "virtualOutbound" },
      to: { type: "cluster", name: "BlackHoleCluster" },
    });
  });

  test("the order of documents changes no byte", () => {
    const reversed = SHOP.split("---").toReversed().join("\n---\n");
    expect(versions(createTranslator().translate(meshOf(reversed), sidecar()).snapshot)).toEqual(
      versions(createTranslator().translate(meshOf(SHOP), sidecar()).snapshot),
    );
  });

  test("comments above change no object, and the positions of diagnostics follow", () => {
    const translator = createTranslator();
    const moved = `# one\n# two\n${SHOP}`;
    const mesh = meshOf(SHOP);
    const before = translator.translate(mesh, sidecar());
    const after = translator.translate(mesh.with(resourcesOf(moved).map((resource) => ({ ref: refOf(resource), resource }))), sidecar());
    expect(after.snapshot).toBe(before.snapshot);
    const lines = ({ findings }: typeof before, yaml = SHOP) =>
      toDiagnostics(findings, locateIn(resourcesOf(yaml))).map(({ code, position }) => [code, position?.line]);
    expect(lines(before)).toEqual([
      ["IST0101", 20],
      ["IST0101", 21],
    ]);
    expect(lines(after, moved)).toEqual([
      ["IST0101", 22],
      ["IST0101", 23],
    ]);
  });

  test("every route knows the resource and the place that it came from", () => {
    const { snapshot } = createTranslator().translate(meshOf(SHOP), sidecar());
    const origins = snapshot.get("route")?.get("80")?.origins;
    expect(origins?.get("virtualHosts[0].routes[0]")).toEqual([
      { ref: { kind: "VirtualService", namespace: "shop", name: "users" }, path: ["spec", "http", 0, "match", 0] },
    ]);
  });

  test("a gateway is sent the clusters that its routes name, and no others", () => {
    const { snapshot } = createTranslator().translate(meshOf(SHOP), router());
    expect([...(snapshot.get("cluster")?.keys() ?? [])]).toEqual(["BlackHoleCluster", "outbound|80||users.shop.svc.cluster.local"]);
  });

  test("an edited route among a hundred services changes one resource, and leaves the others the same objects", () => {
    const translator = createTranslator();
    const resources = largeResources(100);
    const mesh = createMesh(resources);
    const proxy = sidecar({ namespace: "team-0", name: "service-0-0" });
    const before = translator.translate(mesh, proxy).snapshot;
    const edits = withEditedRoute(resources, "9s").map((resource) => ({ ref: refOf(resource), resource }));
    const after = translator.translate(mesh.with(edits), proxy).snapshot;
    const changed = [...after].flatMap(([type, byName]) =>
      [...byName].filter(([name, resource]) => before.get(type)?.get(name) !== resource).map(([name]) => `${type}/${name}`),
    );
    expect(changed).toEqual(["route/8080"]);
  });

  test.each([100, 400, 1600])("law: an edited route makes one virtual host anew among %i services", (size) => {
    const translator = createTranslator();
    const resources = largeResources(size);
    const mesh = createMesh(resources);
    const proxy = sidecar({ namespace: "team-0", name: "service-0-0" });
    translator.translate(mesh, proxy);
    const [edited] = withEditedRoute(resources, "9s").filter(({ kind }) => kind === "VirtualService");
    if (edited === undefined) throw new Error("no VirtualService");
    const start = partCounts.makes;
    translator.translate(mesh.with([{ ref: refOf(edited), resource: edited }]), proxy);
    // The VirtualService as it is read, what it asks of clients and who they are, its destinations, its host and that encoded, all that is sent.
    expect(partCounts.makes - start).toBe(7);
  });

  test("what was made is still known after a collection of garbage", async () => {
    const translator = createTranslator();
    const resources = largeResources(50);
    const mesh = createMesh(resources);
    const proxy = sidecar({ namespace: "team-0", name: "service-0-0" });
    const first = translator.translate(mesh, proxy);
    await collectGarbage();
    const start = partCounts.makes;
    expect(translator.translate(mesh, proxy).snapshot).toBe(first.snapshot);
    const [edited] = withEditedRoute(resources, "9s").filter(({ kind }) => kind === "VirtualService");
    if (edited === undefined) throw new Error("no VirtualService");
    const after = mesh.with([{ ref: refOf(edited), resource: edited }]);
    await collectGarbage();
    translator.translate(after, proxy);
    expect(partCounts.makes - start).toBe(7);
  });
});

/** Twice, with turns between: what is held weakly is let go after the turn in which it was last asked for. */
async function collectGarbage(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let i = 0; i < 2; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
}
