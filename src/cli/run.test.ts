import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { HostState, ProxyStatus } from "../admin/backend.ts";
import type { ProgramStatus } from "../model/program-status.ts";
import { type AdminServer, startAdmin } from "../admin/server.ts";
import { diagnostic } from "../model/diagnostic.ts";
import { fakeBackend, heldResource } from "../testing/admin-backend.ts";
import { fakeIo } from "../testing/fake-io.ts";
import { run } from "./run.ts";

let folder: string;
let server: AdminServer | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-cli-"));
});

afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true });
});

const istio = (kind: string, name: string, namespace: string, spec: object) => ({
  kind,
  apiVersion: "networking.istio.io/v1",
  metadata: { name, namespace, creationTimestamp: "2026-01-01T00:00:00Z" },
  body: { spec },
});

const proxies: readonly ProxyStatus[] = [
  {
    namespace: "shop",
    name: "users-1",
    type: "sidecar",
    ready: true,
    note: "",
    stopping: false,
    restarts: 0,
    version: "1.40.0",
    config: { kind: "acknowledged", at: "2026-01-01T00:59:00Z" },
    identity: "spiffe://cluster.local/ns/shop/sa/users",
    certificate: { notBefore: "2026-01-01T00:45:00Z", notAfter: "2026-01-01T01:45:00Z" },
  },
  {
    namespace: "shop",
    name: "cart-1",
    type: "sidecar",
    ready: false,
    note: "",
    stopping: false,
    restarts: 0,
    version: "1.40.0",
    config: { kind: "refused", type: "RouteConfiguration", message: "bad regex" },
    identity: "spiffe://cluster.local/ns/shop/sa/cart",
  },
];

async function startMesh(
  backend = fakeBackend({
    resources: [
      heldResource(istio("VirtualService", "reviews", "shop", { hosts: ["reviews"], gateways: ["mesh"] }), "folder"),
      heldResource(istio("VirtualService", "cart", "other", { hosts: ["cart"] })),
      heldResource(istio("DestinationRule", "reviews", "shop", { host: "reviews", subsets: [{ name: "v1" }, { name: "v2" }] })),
    ],
    proxies,
    diagnostics: [
      diagnostic("KMK2004", { message: "subset v9 does not exist", position: { file: "a.yaml", line: 3, column: 1 } }),
      {
        ...diagnostic("KMK1003", {
          message: "spec.resources has an effect on Kubernetes only",
          position: { file: "a.yaml", line: 5, column: 1 },
        }),
        severity: "info",
      },
    ],
  }),
): Promise<void> {
  const socket = join(folder, "admin.sock");
  server = await startAdmin({ socket, backend, report: () => {} });
  mkdirSync(join(folder, ".kumiko"), { recursive: true });
  writeFileSync(
    join(folder, ".kumiko", "run.json"),
    JSON.stringify({ pid: process.pid, startTime: "1", root: folder, adminSocket: socket, agentSocket: "", command: "up" }),
  );
}

async function kumiko(line: string, over: { readonly stdin?: string; readonly cwd?: string } = {}) {
  const { io, written } = fakeIo({ cwd: folder, ...over });
  const code = await run(line.split(" "), io);
  return { code, ...written };
}

describe("join-token", () => {
  beforeEach(() => startMesh());

  test("prints the token alone, or all that it stands for", async () => {
    expect(await kumiko("join-token create -n shop --name legacy-1 --label app=legacy --address 10.0.0.7")).toEqual({
      code: 0,
      out: "join.fake\n",
      err: "",
    });
    const { out } = await kumiko("join-token create -n shop --name legacy-1 --service-account legacy -o json");
    expect(JSON.parse(out)).toEqual({
      token: "join.fake",
      expiresAt: "2026-01-01T00:10:00.000Z",
      namespace: "shop",
      name: "legacy-1",
      serviceAccount: "legacy",
    });
  });

  test.each([
    { line: "join-token create -n shop", says: "--name is missing" },
    { line: "join-token create --name a --ttl 0", says: "at least one second" },
    { line: "join-token create --name a --label app", says: '"app" is not KEY=VALUE' },
    { line: "join-token create --name a --address here", says: "address is not an IP address" },
  ])("$line is refused", async ({ line, says }) => {
    const { code, out, err } = await kumiko(line);
    expect(code).not.toBe(0);
    expect(out).toBe("");
    expect(err).toContain(says);
  });
});

describe("get", () => {
  beforeEach(() => startMesh());

  test.each([
    { line: "get vs -n shop", out: "NAME      GATEWAYS   HOSTS     AGE\nreviews   mesh       reviews   60m\n" },
    {
      line: "get vs -A",
      out: "NAMESPACE   NAME      GATEWAYS   HOSTS     AGE\nother       cart                 cart      60m\nshop        reviews   mesh       reviews   60m\n",
    },
    { line: "get vs reviews -n shop -o name", out: "virtualservice.networking.istio.io/reviews\n" },
    {
      line: "get vs,dr -n shop",
      out: "NAME                     GATEWAYS   HOSTS     AGE\nvirtualservice/reviews   mesh       reviews   60m\n\nNAME                      HOST      SUBSETS   AGE\ndestinationrule/reviews   reviews   v1,v2     60m\n",
    },
    {
      line: "get vs/reviews -n shop -o wide",
      out: "NAME      GATEWAYS   HOSTS     AGE   SOURCE\nreviews   mesh       reviews   60m   manifests/reviews.yaml:3\n",
    },
  ])("$line", async ({ line, out }) => {
    expect(await kumiko(line)).toEqual({ code: 0, out, err: "" });
  });

  test("finds the mesh from a folder below", async () => {
    mkdirSync(join(folder, "a/b"), { recursive: true });
    expect((await kumiko("get vs -A", { cwd: join(folder, "a/b") })).code).toBe(0);
  });

  test("one resource as JSON is the resource, several are a List", async () => {
    expect(JSON.parse((await kumiko("get vs reviews -n shop -o json")).out)).toMatchObject({
      kind: "VirtualService",
      metadata: { name: "reviews" },
    });
    expect(JSON.parse((await kumiko("get vs -A -o json")).out)).toMatchObject({ kind: "List", items: [{}, {}] });
    expect((await kumiko("get vs reviews -n shop -o yaml")).out).toContain("kind: VirtualService\n");
  });

  test("of nothing says so, and is no failure", async () => {
    expect(await kumiko("get pods")).toEqual({ code: 0, out: "", err: "no pods in namespace default (-A shows all)\n" });
  });

  test.each([
    { line: "get vs", err: "no virtualservices in namespace default (there are some in other, shop; -A shows all)\n" },
    { line: "get vs -n shpo", err: "no virtualservices in namespace shpo (did you mean -n shop?)\n" },
  ])("$line says where there are some", async ({ line, err }) => {
    expect(await kumiko(line)).toEqual({ code: 0, out: "", err });
  });

  test("has no column in which nothing stands", async () => {
    await server?.close();
    const declared = { kind: "Service", apiVersion: "v1", metadata: { name: "users", namespace: "shop" } };
    await startMesh(fakeBackend({ resources: [heldResource({ ...declared, body: { spec: { ports: [{ port: 80 }] } } }, "folder")] }));
    expect((await kumiko("get svc -n shop")).out).toBe("NAME    TYPE        PORTS\nusers   ClusterIP   80/TCP\n");
  });

  test("without a kind lists the kinds", async () => {
    expect((await kumiko("get")).out).toMatch(/VirtualService +virtualservices, vs +networking.istio.io +2/);
  });

  test.each([
    { line: "get vs none -n shop", code: 4, err: 'error: virtualservices "none" not found in namespace "shop"\n' },
    { line: "get vs cart", code: 4, err: "next: kumiko get virtualservice cart -n other   (it is in namespace other)\n" },
    { line: "get vs reviews -n shpo", code: 4, err: "next: kumiko get virtualservice reviews -n shop   (it is in namespace shop)\n" },
    { line: "get vs reviewz -n shop", code: 4, err: 'next: kumiko get virtualservice reviews -n shop   (did you mean "reviews"?)\n' },
    { line: "get vs reviewz", code: 4, err: 'next: kumiko get virtualservice reviews -n shop   (did you mean "reviews"?)\n' },
    { line: "proxy rout x", code: 2, err: "(Did you mean routes?)" },
    { line: "get vs -l ((", code: 5, err: "error: labelSelector can't be read" },
    { line: "get podz", code: 2, err: 'did you mean "pods"' },
  ])("$line exits with $code", async ({ line, code, err }) => {
    const result = await kumiko(line);
    expect(result.code).toBe(code);
    expect(result.err).toContain(err);
  });
});

describe("apply and delete", () => {
  beforeEach(() => startMesh());

  const manifest = (name: string, hosts = name) =>
    `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: ${name}, namespace: shop }\nspec: { hosts: [${hosts}] }\n`;

  test("create, configure and delete what is applied", async () => {
    expect((await kumiko("apply -f -", { stdin: manifest("users") })).out).toBe("virtualservice.networking.istio.io/users created\n");
    expect((await kumiko("apply -f -", { stdin: manifest("users", "other") })).out).toBe(
      "virtualservice.networking.istio.io/users configured\n",
    );
    expect((await kumiko("delete vs users -n shop")).out).toBe("virtualservice.networking.istio.io/users deleted\n");
    expect((await kumiko("delete vs users -n shop")).code).toBe(4);
    expect((await kumiko("delete vs users -n shop --ignore-not-found")).code).toBe(0);
  });

  test("a refused resource names its line and stops no other", async () => {
    writeFileSync(join(folder, "both.yaml"), `# first\n${manifest("reviews")}---\n${manifest("users")}`);
    expect(await kumiko("apply -f both.yaml")).toEqual({
      code: 5,
      out: "virtualservice.networking.istio.io/users created\n",
      err: "error: both.yaml:2: VirtualService/shop/reviews is declared in manifests/reviews.yaml:3: change it there\n",
    });
    expect((await kumiko("delete vs reviews -n shop")).err).toContain("declared in manifests/reviews.yaml:3");
  });

  test.each([
    { title: "a file that isn't there", stdin: undefined, line: "apply -f none.yaml", code: 2, err: "there is no file none.yaml" },
    { title: "no file at all", stdin: undefined, line: "apply", code: 2, err: "kumiko apply -f FILE" },
    { title: "broken YAML", stdin: "a: [", code: 5, err: "<stdin>:1" },
    { title: "a duplicate key", stdin: "a: 1\na: 2\n", code: 5, err: "<stdin>:2" },
    {
      title: "a bomb of aliases",
      stdin: `a: &a [1,2,3,4,5,6,7,8,9]\nb: &b [${Array(20).fill("*a")}]\nc: &c [${Array(20).fill("*b")}]\nd: [${Array(20).fill("*c")}]\n`,
      code: 5,
      err: "can't be expanded",
    },
    { title: "a text", stdin: "hello\n", code: 5, err: "not a resource" },
    {
      title: "an unknown kind",
      stdin: "apiVersion: x/v1\nkind: Thing\nmetadata: {name: a}\n",
      code: 5,
      err: "there is no kind Thing in x/v1",
    },
    { title: "a resource without a name", stdin: "apiVersion: v1\nkind: Pod\n", code: 5, err: "metadata.name is missing" },
    { title: "nothing", stdin: "# only a comment\n", code: 2, err: "no resource" },
  ])("$title is refused before anything is sent", async ({ stdin, line = "apply -f -", code, err }) => {
    const result = await kumiko(line, stdin === undefined ? {} : { stdin });
    expect(result.err).toContain(err);
    expect(result.code).toBe(code);
  });
});

describe("status", () => {
  test("has one line a workload, and fails while one is not well", async () => {
    await startMesh();
    const { code, out } = await kumiko("status");
    expect(code).toBe(1);
    expect(out).toBe(
      [
        "control plane  kumiko 0.1.0, up 60m, profile zero-trust, /home/user/shop",
        "authority      development root (not for production), ends in 364d, trust domain cluster.local",
        "resources      3, 1 error, 0 warnings",
        "",
        "NAMESPACE   WORKLOAD   READY   PROXY    CONFIG                    CERTIFICATE   IDENTITY                                  NOTE",
        "shop        cart-1     no      1.40.0   NACK RouteConfiguration   none          spiffe://cluster.local/ns/shop/sa/cart    bad regex",
        "shop        users-1    yes     1.40.0   acknowledged 60s ago      ends in 45m   spiffe://cluster.local/ns/shop/sa/users",
        "",
        "a.yaml:3:1: error KMK2004: subset v9 does not exist",
        "1 note on what has no effect here: kumiko status -o wide",
        "",
      ].join("\n"),
    );
    expect((await kumiko("status -o wide")).out).toContain("a.yaml:5:1: info KMK1003: spec.resources has an effect on Kubernetes only\n");
    expect(JSON.parse((await kumiko("status -o json")).out)).toMatchObject({
      trustDomain: "cluster.local",
      proxies: [{ name: "users-1" }, { name: "cart-1" }],
    });
  });
});

test("status counts Pods without a proxy, and says why one is not ready; one that was told to end is no fault", async () => {
  const [users] = proxies as readonly [ProxyStatus];
  const plain: ProxyStatus = { ...users, name: "db-0", type: "none", config: { kind: "none" }, version: "", identity: "" };
  const { certificate: _, ...without } = plain;
  const crashing = { ...without, ready: false, restarts: 3, note: "db: exit code 1; starts again in 4 s" };
  await startMesh(fakeBackend({ proxies: [users, crashing] }));
  const { code, out } = await kumiko("status");
  expect(code).toBe(1);
  expect(out).toMatch(/^shop +db-0 +no +- +- +- +- +3 restarts; db: exit code 1; starts again in 4 s$/m);
  await server?.close();
  rmSync(join(folder, ".kumiko"), { recursive: true });
  await startMesh(fakeBackend({ proxies: [users, { ...without, ready: false, stopping: true, note: "stopping" }] }));
  expect((await kumiko("status")).code).toBe(0);
});

describe("status of what runs beside the mesh", () => {
  const programs: readonly [ProgramStatus, ProgramStatus] = [
    { name: "database", ready: true, restarts: 0, message: "", weaker: [] },
    { name: "edge", ready: true, restarts: 2, message: "", weaker: ["no firewall"] },
  ];
  const startBeside = async (host: HostState) => {
    const backend = fakeBackend({ proxies: proxies.slice(0, 1) });
    backend.reportHost(host);
    await startMesh(backend);
  };

  test("shows outside programs and what is weaker, and is well while they are", async () => {
    await startBeside({ programs, weaker: ["no namespaces"] });
    const { code, out } = await kumiko("status");
    expect(code).toBe(0);
    expect(out).toContain("weaker         no namespaces\nweaker         edge: no firewall\n");
    expect(out).toContain("\nOUTSIDE PROGRAM   READY   RESTARTS   NOTE\ndatabase          yes     0\nedge              yes     2\n");
  });

  test("fails while one is not ready, in JSON too", async () => {
    const [database, edge] = programs;
    const host = { programs: [{ ...database, ready: false, message: "SIGKILL; starts again in 0.2 s" }, edge], weaker: [] };
    await startBeside(host);
    const { code, out } = await kumiko("status");
    expect(code).toBe(1);
    expect(out).toContain("database          no      0          SIGKILL; starts again in 0.2 s\n");
    const json = await kumiko("status -o json");
    expect(json.code).toBe(1);
    expect(JSON.parse(json.out)).toMatchObject({ host });
  });
});

describe("without a mesh", () => {
  test.each(["get pods", "status", "apply -f -", "proxy routes x", "join-token create --name a", "token create alice", "logs users"])(
    "%s exits with 3 and says how to start one",
    async (line) => {
      const { code, err } = await kumiko(line, { stdin: "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n" });
      expect(err).toMatch(/next: kumiko up/);
      expect(code).toBe(3);
    },
  );

  test("a mesh that was killed is said to be gone", async () => {
    await startMesh();
    await server?.close();
    server = undefined;
    const { code, err } = await kumiko("get pods");
    expect(err).toBe(`error: the mesh of ${folder} is not running\n  next: kumiko up\n`);
    expect(code).toBe(3);
  });

  test("down removes the record that a killed mesh left", async () => {
    await startMesh();
    expect((await kumiko("down")).code).toBe(0);
    expect(existsSync(join(folder, ".kumiko", "run.json"))).toBe(false);
  });

  test("down says that there is nothing to stop", async () => {
    expect(await kumiko("down")).toEqual({ code: 0, out: `no mesh runs in ${folder}\n`, err: "" });
  });
});

test("logs finds the Pod of a Deployment and prints its last lines", async () => {
  mkdirSync(join(folder, ".kumiko/logs/shop"), { recursive: true });
  writeFileSync(join(folder, ".kumiko/logs/shop/users-5d4f-1.log"), "one\ntwo\n");
  expect(await kumiko("logs users --tail 1")).toEqual({ code: 0, out: "two\n", err: "" });
});

test("logs of a mesh that has stopped are found from the folder above it, too", async () => {
  mkdirSync(join(folder, "platform/.kumiko/logs/shop"), { recursive: true });
  writeFileSync(join(folder, "platform/.kumiko/logs/shop/users-5d4f-1.log"), "one\ntwo\n");
  expect(await kumiko("logs users --tail 1")).toEqual({ code: 0, out: "two\n", err: "" });
});

test("token runs the command that kumiko.yaml names, with its settings", async () => {
  await startMesh();
  writeFileSync(
    join(folder, "kumiko.yaml"),
    'env: { WHERE: "${STATE}/x", PORT: "${PORT:-15432}" }\ntoken: { command: [node, -e, "console.log(process.env.WHERE, process.env.PORT, process.argv.slice(1).join())"] }\n',
  );
  expect(await kumiko("token create alice")).toEqual({ code: 0, out: `${folder}/.kumiko/x 15432 alice\n`, err: "" });
});
