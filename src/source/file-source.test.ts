import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile, chmod } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { formatRef, refOf } from "../model/resource.ts";
import { type FileSource, readFiles, startFileSource } from "./file-source.ts";
import type { Declared } from "./merge.ts";
import { textsInMemory } from "../testing/last-good-texts.ts";

let dir = "";
let seen: Declared[] = [];
let source: FileSource | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "kumiko-source-"));
  seen = [];
});

afterEach(async () => {
  await source?.close();
  source = undefined;
  await rm(dir, { recursive: true });
});

const write = async (name: string, text: string) => {
  await mkdir(join(dir, name, ".."), { recursive: true });
  await writeFile(join(dir, name), text);
};
const account = (name: string) => `apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ${name}, namespace: shop}\n`;
const rule = (host: string) =>
  `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: users, namespace: shop}\nspec: {host: ${host}}\n`;
const start = async (pollMs = 60_000) => {
  source = await startFileSource({ paths: [dir], onChange: (declared) => seen.push(declared), pollMs, settleMs: 5, quietMs: 50 });
};
const last = () => seen.at(-1) ?? { resources: [], diagnostics: [] };
const names = () => last().resources.map((resource) => formatRef(refOf(resource)));
const codes = () => last().diagnostics.map(({ code }) => code);
const many = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => account(`a${from + i}`)).join("---\n");
/** Bounded wait for a condition; the watch is woken by the file system itself. */
const until = (condition: () => void) => vi.waitFor(condition, { timeout: 10_000, interval: 10 });

describe("reading a folder", () => {
  test("takes every .yaml, .yml and .json in order, and passes over hidden names, node_modules and our own settings", async () => {
    await write("b/1.yaml", account("b1"));
    await write("a.yml", `${account("a1")}---\n${account("a2")}`);
    await write("c.json", '{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"c1"}}');
    for (const other of [".hidden.yaml", ".kumiko/x.yaml", "node_modules/p/x.yaml", "kumiko.yaml", "notes.txt"])
      await write(other, account("never"));
    const { resources, diagnostics } = await readFiles([dir]);
    expect(resources.map((resource) => formatRef(refOf(resource)))).toEqual([
      "ServiceAccount/shop/a1",
      "ServiceAccount/shop/a2",
      "ServiceAccount/shop/b1",
      "ServiceAccount/default/c1",
    ]);
    expect(diagnostics).toEqual([]);
  });

  test("a resource that is declared twice: the first file's is used, and both places have an error", async () => {
    await write("a.yaml", rule("first"));
    await write("b.yaml", `# moved\n${rule("second")}`);
    const { resources, diagnostics } = await readFiles([dir]);
    expect(resources).toMatchObject([{ body: { spec: { host: "first" } } }]);
    expect(diagnostics).toMatchObject([
      { code: "KMK0005", position: { file: join(dir, "a.yaml"), line: 3 }, message: expect.stringContaining("this one is used") },
      {
        code: "KMK0005",
        position: { file: join(dir, "b.yaml"), line: 4 },
        message: expect.stringContaining(`${join(dir, "a.yaml")}:3 is used`),
      },
    ]);
  });

  test("one that is broken stops no other", async () => {
    await write("a.yaml", "a: [");
    await write("b.yaml", account("b"));
    await writeFile(join(dir, "c.yaml"), Uint8Array.of(0xff, 0xfe, 0x00));
    await writeFile(join(dir, "d.yaml"), "x".repeat(5 * 1024 * 1024));
    await symlink(join(dir, "nowhere"), join(dir, "e.yaml"));
    const { resources, diagnostics } = await readFiles([dir]);
    expect(resources).toHaveLength(1);
    expect(diagnostics.map(({ code, position }) => `${code} ${position?.file.slice(dir.length + 1)}`)).toEqual([
      "KMK0002 a.yaml",
      "KMK0002 c.yaml",
      "KMK0003 d.yaml",
    ]);
  });

  test("one that is no regular file is said, and what stood there is not lost", async () => {
    await write("a.yaml", account("a"));
    const server = createServer().listen(join(dir, "socket.yaml"));
    await new Promise((resolve) => server.once("listening", resolve));
    await symlink("/dev/zero", join(dir, "zero.json"));
    await start();
    await rm(join(dir, "a.yaml"));
    execFileSync("mkfifo", [join(dir, "a.yaml")]);
    await until(() => expect(codes()).toEqual(["KMK0001", "KMK0001", "KMK0001"]));
    expect(last().diagnostics.map(({ message }) => message.replace(`${dir}/`, ""))).toEqual([
      "a.yaml can't be read: it is no regular file",
      "socket.yaml can't be read: it is no regular file",
      "zero.json can't be read: it is no regular file",
    ]);
    expect(names()).toEqual(["ServiceAccount/shop/a"]);
    await new Promise((resolve) => server.close(resolve));
  });

  test("a Helm chart's templates are passed over, and one line says how to render it", async () => {
    await write("web/Chart.yaml", "apiVersion: v2\nname: web\n");
    await write("web/values.yaml", "a: 1\n");
    await write("web/templates/a.yaml", "name: {{ .Values.a }}\n");
    await write("web/templates/tests/b.yaml", account("never"));
    await write("web/crds/c.yaml", account("crd"));
    await write("templates/d.yaml", account("d"));
    const { resources, diagnostics } = await readFiles([dir]);
    expect(resources.map((resource) => formatRef(refOf(resource)))).toEqual(["ServiceAccount/shop/d", "ServiceAccount/shop/crd"]);
    expect(diagnostics.filter(({ severity }) => severity !== "info")).toMatchObject([
      {
        code: "KMK1004",
        severity: "warning",
        message: "a Helm chart: its 2 templates are not rendered, and not read",
        help: `name the chart's folder itself, or read what it makes: helm template ${join(dir, "web")} > FILE.yaml`,
        position: { file: join(dir, "web/Chart.yaml") },
      },
    ]);
  });

  test("a path that isn't there is said", async () => {
    const { diagnostics } = await readFiles([join(dir, "missing")]);
    expect(diagnostics).toMatchObject([{ code: "KMK0001", message: expect.stringContaining("does not exist") }]);
  });
});

describe("watching", () => {
  test("a new file, a new folder, an editor's rename and a removal are noticed", async () => {
    await write("a.yaml", account("a"));
    await start();
    expect(names()).toEqual(["ServiceAccount/shop/a"]);
    await write("sub/b.yaml", account("b"));
    await until(() => expect(names()).toEqual(["ServiceAccount/shop/a", "ServiceAccount/shop/b"]));
    await write("sub/.b.swp", account("c"));
    await rename(join(dir, "sub/.b.swp"), join(dir, "sub/b.yaml"));
    await until(() => expect(names()).toEqual(["ServiceAccount/shop/a", "ServiceAccount/shop/c"]));
    await rm(join(dir, "a.yaml"));
    await until(() => expect(names()).toEqual(["ServiceAccount/shop/c"]));
  });

  test("a kustomization that begins to name a file as a patch takes it away, and one that ends to gives it back", async () => {
    await write("a.yaml", account("a"));
    await write("b.yaml", account("b"));
    await start();
    await write("kustomization.yaml", "patches: [{path: b.yaml}]\n");
    await until(() => expect(names()).toEqual(["ServiceAccount/shop/a"]));
    await write("kustomization.yaml", "patches: [{path: c.yaml}]\n");
    await until(() => expect(names()).toEqual(["ServiceAccount/shop/a", "ServiceAccount/shop/b"]));
  });

  test("what the system doesn't tell is found by comparing", async () => {
    await write("a.yaml", account("a"));
    await mkdir(join(dir, "real"));
    await start(20);
    await rm(dir, { recursive: true });
    await until(() => expect(codes()).toContain("KMK0001"));
    expect(names()).toEqual(["ServiceAccount/shop/a"]);
    await write("b.yaml", account("b"));
    await until(() => expect(names()).toEqual(["ServiceAccount/shop/b"]));
  });

  test("a comment line moves positions and leaves every hash; the same text again is no change", async () => {
    await write("a.yaml", rule("users"));
    await start();
    const [before] = last().resources;
    await write("a.yaml", `# comment\n${rule("users")}`);
    await until(() => expect(seen).toHaveLength(2));
    const [after] = last().resources;
    expect([before?.locate(["spec"]).line, after?.locate(["spec"]).line]).toEqual([4, 5]);
    expect(after?.hash).toBe(before?.hash);
    await utimes(join(dir, "a.yaml"), 1, 1);
    await source?.refresh();
    expect(seen).toHaveLength(2);
  });

  test("a file that can't be parsed any more keeps its last good version until it is mended", async () => {
    await write("a.yaml", rule("users"));
    await write("b.yaml", account("b"));
    await start();
    await write("a.yaml", `${rule("users")}x: [`);
    await until(() => expect(codes()).toEqual(["KMK0002", "KMK0006"]));
    expect(names()).toEqual(["DestinationRule/shop/users", "ServiceAccount/shop/b"]);
    await write("a.yaml", rule("other"));
    await until(() => expect(codes()).toEqual([]));
    expect(last().resources).toMatchObject([{ body: { spec: { host: "other" } } }, {}]);
  });

  test("one resource that turns wrong keeps its last good version while others of its file go on", async () => {
    await write("a.yaml", `${rule("users")}---\n${account("a")}`);
    await start();
    await write("a.yaml", `${rule("'not a host'")}---\n${account("a2")}`);
    await until(() => expect(codes()).toEqual(["KMK1001", "KMK0006"]));
    expect(names()).toEqual(["DestinationRule/shop/users", "ServiceAccount/shop/a2"]);
    expect(last().resources[0]?.body).toEqual({ spec: { host: "users" } });
  });

  test("a file that is broken from the start has what it last said to an earlier process", async () => {
    const lastGood = textsInMemory();
    const begin = async () => {
      await source?.close();
      source = await startFileSource({ paths: [dir], onChange: (declared) => seen.push(declared), lastGood, pollMs: 60_000 });
    };
    await write("a.yaml", `${rule("users")}---\n${account("a")}`);
    await begin();
    await write("a.yaml", `${rule("'not a host'")}---\n${account("b")}`);
    await begin();
    expect(names()).toEqual(["DestinationRule/shop/users", "ServiceAccount/shop/b"]);
    await write("a.yaml", "a: [");
    await begin();
    expect(names()).toEqual(["DestinationRule/shop/users", "ServiceAccount/shop/a"]);
    expect(codes()).toEqual(["KMK0002", "KMK0006"]);
  });

  test("a policy that is wrong from the start is closed rather than absent", async () => {
    await write(
      "a.yaml",
      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p}\nspec: {action: DENY, rules: [{from: []}]}\n",
    );
    await start();
    expect(last().resources).toMatchObject([{ body: { spec: { action: "DENY", rules: [{}] } } }]);
  });

  test.skipIf(process.getuid?.() === 0)("a file without permission keeps its last good version", async () => {
    await write("a.yaml", account("a"));
    await start();
    await chmod(join(dir, "a.yaml"), 0);
    await source?.refresh();
    expect(codes()).toEqual(["KMK0001", "KMK0006"]);
    expect(names()).toEqual(["ServiceAccount/shop/a"]);
  });

  test("what throws in onChange is reported, and the next change is read all the same", async () => {
    await write("a.yaml", account("a"));
    const failures: unknown[] = [];
    let calls = 0;
    const onChange = () => {
      calls++;
      if (calls === 2) throw new Error("bug");
    };
    source = await startFileSource({ paths: [dir], onChange, pollMs: 60_000, settleMs: 5, onFailure: (error) => failures.push(error) });
    await write("a.yaml", account("b"));
    await until(() => expect(failures).toHaveLength(1));
    await write("a.yaml", account("c"));
    await until(() => expect(calls).toBe(3));
  });
});

describe("many that vanish at once", () => {
  test("are held back and said, and go once they are confirmed", async () => {
    await write("a.yaml", many(0, 70));
    await write("b.yaml", many(70, 100));
    await start();
    await rm(join(dir, "a.yaml"));
    await until(() => expect(codes()).toEqual(["KMK0004"]));
    expect(last().resources).toHaveLength(100);
    await source?.acceptRemovals();
    expect(last().resources).toHaveLength(30);
    expect(codes()).toEqual([]);
  });

  test("are released when they come back", async () => {
    await write("a.yaml", many(0, 70));
    await write("b.yaml", many(70, 100));
    await start();
    await rename(join(dir, "a.yaml"), join(dir, "a.txt"));
    await until(() => expect(codes()).toEqual(["KMK0004"]));
    await rename(join(dir, "a.txt"), join(dir, "a.yaml"));
    await until(() => expect(codes()).toEqual([]));
    expect(last().resources).toHaveLength(100);
  });

  test("20 of 20 may go, and so may 30 of 100", async () => {
    await write("a.yaml", many(0, 30));
    await write("b.yaml", many(30, 100));
    await start();
    await rm(join(dir, "a.yaml"));
    await until(() => expect(last().resources).toHaveLength(70));
    await write("b.yaml", many(30, 50));
    await until(() => expect(codes()).toEqual(["KMK0004"]));
  });
});

test("a file may be read for several namespaces, each of which remembers its own last good version", async () => {
  const text = (host: string) => rule(host).replace(", namespace: shop", "");
  await write("a.yaml", text("one"));
  const path = join(dir, "a.yaml");
  const paths = ["foo", "bar"].map((namespace) => ({ path, namespace }));
  source = await startFileSource({ paths, onChange: (declared) => seen.push(declared), settleMs: 5 });
  expect(names()).toEqual(["DestinationRule/foo/users", "DestinationRule/bar/users"]);
  await write("a.yaml", text("two").replace("name: users", "name: users, namespace: bar"));
  const hosts = () => last().resources.map(({ body }) => (body as { spec: { host: string } }).spec.host);
  await until(() => expect(hosts()).toEqual(["one", "two"]));
  expect(last().diagnostics.map(({ message }) => message)).toContain(
    'metadata.namespace is "bar", where all of the file is for namespace foo',
  );
});
