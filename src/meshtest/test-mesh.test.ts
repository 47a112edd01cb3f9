import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RequestAuthenticationBody } from "../schema/bodies.ts";
import { TestIssuers } from "./issuers.ts";
import { loadTests } from "./load.ts";
import { checkNames, WorkloadNames } from "./names.ts";
import { TestMesh } from "./test-mesh.ts";
import { toRequests } from "./to-request.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-meshtest-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(file: string, text: string): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), text);
}

const load = (...paths: string[]) => loadTests({ paths, cwd: folder });

function meshTest(
  over: { readonly workloads?: string; readonly call?: string; readonly spec?: string; readonly documents?: string } = {},
): string {
  const { workloads = "{name: client}, {name: users-1, labels: {app: users}, ports: [8080]}", spec = "" } = over;
  const { call = '{from: {workload: client}, request: {url: "http://users/"}, expect: {status: 200}}' } = over;
  const own = `apiVersion: kumiko.dev/v1alpha1\nkind: MeshTest\nmetadata: {name: t, namespace: shop}\nspec:\n  workloads: [${workloads}]\n  calls: [${call}]\n${spec}`;
  return `${own}---\n${over.documents ?? USERS}`;
}

const USERS =
  "apiVersion: v1\nkind: Service\nmetadata: {name: users}\nspec: {selector: {app: users}, ports: [{name: http, port: 80, targetPort: 8080}]}\n";

async function meshOf(text: string) {
  write("t.yaml", text);
  const { files } = await load("t.yaml");
  expect(files[0]?.errors).toEqual([]);
  const loaded = files[0]!.tests[0]!;
  const issuers = new TestIssuers();
  const mesh = new TestMesh(loaded, issuers);
  return { mesh, loaded, issuers, first: loaded.test.calls[0]! };
}

describe("files", () => {
  test("of a folder are searched for tests; others are passed over", async () => {
    write("a/one.yaml", meshTest());
    write("a/broken.yaml", "a: [");
    write("a/mesh.yaml", USERS);
    const { files } = await load("a");
    expect(files.map(({ file, tests, errors }) => [file, tests.length, errors.length])).toEqual([["a/one.yaml", 1, 0]]);
  });

  test.each([
    { title: "without a test", path: "mesh.yaml", message: "there is no MeshTest in mesh.yaml" },
    { title: "that isn't there", path: "none.yaml", message: "does not exist" },
    { title: "that is no YAML", path: "broken.yaml", message: "" },
  ])("$title can't be used", async ({ path, message }) => {
    write("mesh.yaml", USERS);
    write("broken.yaml", "kind: MeshTest\na: [");
    const { files } = await load(path);
    expect(files[0]?.errors[0]?.message).toContain(message);
    expect(files[0]?.errors[0]?.file).toBe(path);
  });

  test("named under resources belong to the test, in its namespace; those with tests of their own don't", async () => {
    write("t.yaml", meshTest({ spec: "  resources: [./mesh]\n", documents: "" }));
    write("mesh/users.yaml", USERS);
    write("mesh/other.yaml", meshTest({ documents: USERS.replaceAll("users", "videos") }));
    const { files, watched } = await load("t.yaml");
    expect(files[0]?.tests[0]?.resources.map(({ kind, metadata }) => `${kind}/${metadata.namespace}/${metadata.name}`)).toEqual([
      "Service/shop/users",
    ]);
    expect(watched.paths).toContainEqual({ path: join(folder, "mesh") });
  });

  test("under resources that can't be read as a whole keep the test from running, unless it expects so", async () => {
    write("mesh/broken.yaml", "a: [\n");
    write("t.yaml", meshTest({ spec: "  resources: [./mesh]\n" }));
    write("expects.yaml", meshTest({ spec: "  resources: [./mesh]\n  expectDiagnostics: [{code: KMK0002}]\n" }));
    const { files } = await load("t.yaml", "expects.yaml");
    expect(files.map(({ file, tests, errors }) => [file, tests.length, errors.map((error) => `${error.file}:${error.line}`)])).toEqual([
      ["t.yaml", 0, ["mesh/broken.yaml:2"]],
      ["expects.yaml", 1, []],
    ]);
  });

  test("of a folder that are no text may be tests: they are not passed over", async () => {
    write("a/one.yaml", meshTest());
    writeFileSync(join(folder, "a/two.yaml"), Buffer.from(meshTest().replace("name: t", "name: t\u00fc"), "latin1"));
    expect((await load("a")).files.map(({ file, errors }) => [file, errors.length])).toEqual([
      ["a/one.yaml", 0],
      ["a/two.yaml", 1],
    ]);
  });

  test("that are missing under resources are an error at their line", async () => {
    write("t.yaml", meshTest({ spec: "  resources: [./mesh]\n" }));
    expect((await load("t.yaml")).files[0]?.errors).toMatchObject([
      { line: 7, column: 15, message: "spec.resources: ./mesh can't be read" },
    ]);
  });
});

describe("workloads", () => {
  test("have addresses of their own, the same each time", async () => {
    const { mesh } = await meshOf(meshTest());
    expect(mesh.workloads.map(({ name, address }) => [name, address])).toEqual([
      ["client", "10.244.1.2"],
      ["users-1", "10.244.1.3"],
    ]);
  });

  test("are Deployments, StatefulSets and Pods too, by their names", async () => {
    const template =
      "{metadata: {labels: {app: users}}, spec: {serviceAccountName: users, containers: [{name: a, ports: [{name: web, containerPort: 8080}]}]}}";
    const documents = [
      `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 3, selector: {matchLabels: {app: users}}, template: ${template}}`,
      `apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s}\nspec: {serviceName: s, selector: {matchLabels: {app: users}}, template: ${template}}`,
      "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {sidecar.istio.io/inject: 'false'}}\nspec: {containers: [{name: a}]}",
    ].join("\n---\n");
    const { mesh } = await meshOf(meshTest({ documents }));
    expect(mesh.workloads.map(({ name, role, serviceAccount }) => `${name} ${role} ${serviceAccount}`)).toEqual([
      "client sidecar default",
      "users-1 sidecar default",
      "d sidecar users",
      "s sidecar users",
      "p none default",
    ]);
  });

  test("are gateways where a Gateway selects them, or a call enters by them", async () => {
    const gateway =
      "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec: {selector: {edge: a}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}\n";
    const workloads = "{name: a, labels: {edge: a}}, {name: b}, {name: c}";
    const call = '{from: {gateway: b}, request: {url: "http://x/"}, expect: {status: 404}}';
    const { mesh } = await meshOf(meshTest({ workloads, call, documents: gateway }));
    expect(mesh.workloads.map(({ name, role }) => `${name} ${role}`)).toEqual(["a gateway", "b gateway", "c sidecar"]);
    expect(mesh.proxyOf({ namespace: "shop", name: "a" })?.proxy.type).toBe("router");
  });

  test("that don't exist are named with what was meant", async () => {
    const { mesh, loaded } = await meshOf(
      meshTest({ call: '{from: {workload: cliend}, request: {url: "http://users/"}, expect: {to: users-2, via: null}}' }),
    );
    const errors = checkNames(loaded.test, new WorkloadNames(mesh.workloads, "shop"));
    expect(errors).toMatchObject([
      { line: 6, message: 'unknown workload "cliend" in from.workload', help: "did you mean client?" },
      { line: 6, message: 'unknown workload "users-2" in expect.to', help: "did you mean users-1?" },
    ]);
  });

  test("of one name need their namespace, but for those of the test's own", () => {
    const names = new WorkloadNames(
      ["a", "b"].map((namespace) => ({ namespace, name: "x" })),
      "shop",
    );
    expect(names.problem("x")?.help).toBe("write a/x or b/x");
    expect(names.find("b/x")).toEqual({ namespace: "b", name: "x" });
    expect(
      new WorkloadNames(
        [
          { namespace: "shop", name: "x" },
          { namespace: "b", name: "x" },
        ],
        "shop",
      ).find("x")?.namespace,
    ).toBe("shop");
  });
});

describe("names resolve", () => {
  test.each([
    { title: "a short name in the caller's namespace", host: "users", expected: /^10\.96\./ },
    { title: "a name with its namespace", host: "users.shop", expected: /^10\.96\./ },
    { title: "a full name, in any case", host: "USERS.shop.svc.cluster.local", expected: /^10\.96\./ },
    { title: "a host outside to an address of its own", host: "api.example.com", expected: /^10\.245\./ },
    { title: "an address to itself", host: "192.0.2.7", expected: /^192\.0\.2\.7$/ },
  ])("$title", async ({ host, expected }) => {
    const { mesh } = await meshOf(meshTest());
    expect(mesh.addresses.resolve(host, "shop")).toMatch(expected);
  });

  test("back to the host outside that is there", async () => {
    const { mesh } = await meshOf(meshTest());
    const address = mesh.addresses.resolve("api.example.com", "shop") ?? "";
    expect([address, "192.0.2.7", "10.96.200.200", "db.example.com"].map((at) => mesh.externalAt(at))).toEqual([
      "api.example.com",
      "192.0.2.7",
      undefined,
      "db.example.com",
    ]);
  });
});

describe("what a gateway's call is sent with", () => {
  test("the port of a Service in front of it is its target port", async () => {
    const documents =
      "apiVersion: v1\nkind: Service\nmetadata: {name: in}\nspec: {selector: {edge: a}, ports: [{name: http, port: 80, targetPort: 8000}]}\n";
    const call = '{from: {gateway: a, clientIp: 198.51.100.4}, request: {url: "http://x.example.com/"}, expect: {status: 404}}';
    const { mesh, issuers, first } = await meshOf(meshTest({ workloads: "{name: a, labels: {edge: a}}", call, documents }));
    const requests = toRequests(first, mesh.workloads[0]!, { mesh, issuers, nowMs: 0 });
    const destination = { address: "10.244.1.2", port: 8000 };
    expect(requests).toMatchObject([{ share: 1, request: { destination, authority: "x.example.com", sourceAddress: "198.51.100.4" } }]);
  });

  test("several tokens, in headers and in the query", async () => {
    const token = "[{issuer: a}, {issuer: b, header: x-token, prefix: ''}, {issuer: c, query: t}]";
    const call = `{from: {workload: client}, request: {url: "https://users/a?b=1", token: ${token}}, expect: {status: 200}}`;
    const { mesh, issuers, first } = await meshOf(meshTest({ call }));
    const requests = toRequests(first, mesh.workloads[0]!, { mesh, issuers, nowMs: 0 });
    const { request } = typeof requests === "string" ? expect.unreachable() : requests[0]!;
    expect(request.headers.map(([name, value]) => `${name}: ${value.slice(0, 9)}`)).toEqual([
      "authorization: Bearer ey",
      expect.stringMatching(/^x-token: ey/),
    ]);
    expect(request.path).toMatch(/^\/a\?b=1&t=ey/);
    expect(request.tls).toEqual({ sni: "users", alpn: ["http/1.1"] });
  });
  test("a caller without a proxy is shared out among the endpoints", async () => {
    const workloads =
      "{name: old, labels: {sidecar.istio.io/inject: 'false'}}, {name: u1, labels: {app: users}}, {name: u2, labels: {app: users}}";
    const call = '{from: {workload: old}, request: {url: "http://users/"}, expect: {status: 200}}';
    const { mesh, issuers, first } = await meshOf(meshTest({ workloads, call }));
    const requests = toRequests(first, mesh.workloads[0]!, { mesh, issuers, nowMs: 0 });
    expect(requests).toMatchObject([
      { share: 0.5, request: { destination: { address: "10.244.1.3", port: 8080 } } },
      { share: 0.5, request: { destination: { address: "10.244.1.4", port: 8080 } } },
    ]);
  });
});

test("every rule with an issuer trusts the test's key, and every Secret that a Gateway names is there unless it is as it is", async () => {
  const server = (name: string) =>
    `{port: {number: 443, name: https, protocol: HTTPS}, hosts: ['*'], tls: {mode: MUTUAL, credentialName: ${name}}}`;
  const documents = [
    "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: r}\nspec: {jwtRules: [{issuer: i, jwksUri: 'https://i/keys'}]}",
    `apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec: {selector: {edge: a}, servers: [${server("made")}]}`,
    `apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: h, annotations: {kumiko.dev/test-secret: as-is}}\nspec: {selector: {edge: a}, servers: [${server("missing")}]}`,
  ].join("\n---\n");
  const { mesh, issuers } = await meshOf(
    meshTest({ workloads: "{name: client}, {name: a, labels: {edge: a}}, {name: users-1}", documents }),
  );
  const rule = mesh.mesh.find({ kind: "RequestAuthentication", namespace: "shop", name: "r" })?.body as RequestAuthenticationBody;
  expect(rule.spec?.jwtRules).toEqual([{ issuer: "i", jwks: issuers.jwksOf("i") }]);
  const secret = (name: string) => mesh.mesh.find({ kind: "Secret", namespace: "shop", name }) !== undefined;
  expect(["made", "made-cacert", "missing", "missing-cacert"].map(secret)).toEqual([true, true, false, false]);
});
