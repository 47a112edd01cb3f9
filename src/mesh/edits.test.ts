import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { partCounts } from "../base/part.ts";
import { treeCounts } from "../base/tree.ts";
import { formatRef, refOf } from "../model/resource.ts";
import { largeResources } from "../testing/large-mesh.ts";
import { resourcesOf, router, sidecar } from "../testing/mesh.ts";
import { arbitraryEdits } from "../testing/random-edits.ts";
import { createTranslator } from "../translate/index.ts";
import { createMesh, emptyMesh, type Mesh, type ResourceEdit } from "./index.ts";

const PROXIES = [
  sidecar({ namespace: "shop", name: "users", labels: { app: "users", version: "v1" }, addresses: ["10.244.0.1"] }),
  sidecar({ namespace: "data", name: "elsewhere", labels: { app: "db" }, addresses: ["10.244.0.2"] }),
  router(),
];

/** All that proxies are told of a mesh, and what is wrong with it. */
function toldOf(mesh: Mesh, translator = createTranslator()) {
  const proxies = PROXIES.map((proxy) => {
    const { snapshot, findings } = translator.translate(mesh, proxy);
    const resources = [...snapshot.values()].flatMap((byName) => [...byName.values()]);
    return { findings, resources: resources.map(({ type, name, version, origins }) => [type, name, version, [...origins]]) };
  });
  return { proxies, findings: mesh.findings };
}

/** The resources that a list of edits leaves. */
function leftBy(edits: readonly ResourceEdit[]) {
  const left = new Map<string, ResourceEdit>();
  for (const edit of edits) left.set(formatRef(edit.ref), edit);
  return [...left.values()].flatMap(({ resource }) => resource ?? []);
}

describe("law: an edited mesh is the mesh that the same resources make", () => {
  test.each(["zero-trust", "istio"] as const)("in profile %s, after each of several edits of any kinds", (profile) => {
    fc.assert(
      fc.property(arbitraryEdits({ minLength: 20, maxLength: 40 }), arbitraryEdits({ minLength: 4, maxLength: 8 }), (first, others) => {
        const translator = createTranslator();
        let mesh = emptyMesh({ profile }).with(first);
        toldOf(mesh, translator);
        for (const [i, edit] of others.entries()) {
          mesh = mesh.with([edit]);
          const fresh = createMesh(leftBy([...first, ...others.slice(0, i + 1)]), { profile });
          expect(toldOf(mesh, translator)).toEqual(toldOf(fresh));
        }
      }),
      { numRuns: 100 },
    );
  });

  test("edits that change nothing give the very same mesh", () => {
    const resources = largeResources(20);
    const mesh = createMesh(resources);
    expect(mesh.with(largeResources(20).map((resource) => ({ ref: refOf(resource), resource })))).toBe(mesh);
  });
});

describe("law: the work of an edit grows with what it touches, not with the mesh", () => {
  const SIZES = [500, 2000, 8000];
  const meshes = SIZES.map((size) => ({ size, mesh: createMesh(largeResources(size)) }));
  const edited = (kind: string) => {
    const [resource] = largeResources(1).filter((one) => one.kind === kind);
    if (resource === undefined) throw new Error(`no ${kind} in the mesh`);
    return resource;
  };

  test.each(["Service", "Pod", "VirtualService", "DestinationRule"])("of a %s that goes and comes again", (kind) => {
    const resource = edited(kind);
    const work = meshes.map(({ mesh }) => {
      const before = { ...partCounts, ...treeCounts };
      const without = mesh.with([{ ref: refOf(resource), resource: undefined }]);
      without.with([{ ref: refOf(resource), resource }]);
      return treeCounts.visits - before.visits + partCounts.makes - before.makes + partCounts.lookups - before.lookups;
    });
    // Only the depth of the trees grows: twice in sixteen times as many services at most.
    expect(work.at(-1)).toBeLessThan(2 * (work[0] ?? 0));
    expect(work.at(-1)).toBeLessThan(1500);
  });
});

describe("what random edits seldom meet", () => {
  const docs = (...texts: readonly string[]) => resourcesOf(texts.join("\n---\n"));
  const entry = (...hosts: readonly string[]) =>
    `{ apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: { name: out, namespace: shop }, spec: { hosts: [${hosts.join(", ")}], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: DNS } }`;
  const users =
    "{ apiVersion: v1, kind: Service, metadata: { name: users, namespace: shop }, spec: { selector: { app: users }, ports: [{ port: 80, name: http }] } }";
  const usersAt = (address: string) => ({
    pod: `{ apiVersion: v1, kind: Pod, metadata: { name: users-1, namespace: shop, labels: { app: users } }, spec: { containers: [{ name: a }] }, status: { podIP: ${address}, conditions: [{ type: Ready, status: "True" }] } }`,
    slice: `{ apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: { name: listed, namespace: shop, labels: { kubernetes.io/service-name: users } }, endpoints: [{ addresses: [${address}], targetRef: { kind: Pod, name: users-1 } }], ports: [{ name: http, port: 80 }] }`,
  });

  test.each([
    {
      title: "hosts that change places",
      before: docs(entry("a.example.com", "b.example.com")),
      after: docs(entry("b.example.com", "a.example.com")),
    },
    {
      title: "a slice that lists what was selected",
      before: docs(users, usersAt("10.1.1.1").pod),
      after: docs(users, usersAt("10.1.1.1").pod, usersAt("10.1.1.1").slice),
    },
  ])("$title: the bytes stay, and everything knows where it comes from now", ({ before, after }) => {
    const translator = createTranslator();
    const mesh = createMesh(before);
    toldOf(mesh, translator);
    const edited = mesh.with(after.map((resource) => ({ ref: refOf(resource), resource })));
    expect(toldOf(edited, translator)).toEqual(toldOf(createMesh(after)));
  });

  test("a new name that takes another's address changes that other's service, too", () => {
    const service = (name: string) => {
      const [resource] = resourcesOf(
        `{ apiVersion: v1, kind: Service, metadata: { name: ${name}, namespace: shop }, spec: { ports: [{ port: 80, name: http }] } }`,
      );
      if (resource === undefined) throw new Error("no resource");
      return resource;
    };
    const names = Array.from({ length: 3000 }, (_, i) => `s${i}`).toSorted();
    const hostOf = (name: string) => `${name}.shop.svc.cluster.local`;
    const all = createMesh(names.map(service));
    // Whoever stands at another place than alone was moved there by a name before it.
    const moved = names.find((name) => {
      const alone = createMesh([service(name)]).services.find(hostOf(name), "shop")?.allocatedAddress;
      return all.services.find(hostOf(name), "shop")?.allocatedAddress !== alone;
    });
    const others = names.filter((name) => name > (moved ?? ""));
    const later = createMesh([service(moved ?? ""), ...others.map(service)]).with(
      names.filter((name) => name < (moved ?? "")).map((name) => ({ ref: refOf(service(name)), resource: service(name) })),
    );
    expect(moved).toBeDefined();
    expect(later.services.find(hostOf(moved ?? ""), "shop")).toEqual(all.services.find(hostOf(moved ?? ""), "shop"));
  });

  test("endpoints that another slice lists know where they come from now", () => {
    const slice = (name: string) =>
      `{ apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: { name: ${name}, namespace: shop, labels: { kubernetes.io/service-name: users } }, endpoints: [{ addresses: [10.1.1.1] }], ports: [{ name: http, port: 80 }] }`;
    const [service, first, second] = resourcesOf(
      [
        "{ apiVersion: v1, kind: Service, metadata: { name: users, namespace: shop }, spec: { ports: [{ port: 80, name: http }] } }",
        slice("first"),
        slice("second"),
      ].join("\n---\n"),
    );
    if (service === undefined || first === undefined || second === undefined) throw new Error("no resources");
    const mesh = createMesh([service, first]).with([
      { ref: refOf(first), resource: undefined },
      { ref: refOf(second), resource: second },
    ]);
    const users = mesh.services.find("users.shop.svc.cluster.local", "shop");
    expect(users && mesh.endpoints.of(users).origin.map(({ ref }) => ref.name)).toEqual(["second"]);
  });
});
