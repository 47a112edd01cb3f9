import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { formatRef, refOf } from "../model/resource.ts";
import { loadTests, stampOf } from "./load.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-load-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n";

async function load(resources: string, text = SERVICE) {
  writeFileSync(join(folder, "a.yaml"), text);
  const calls = '  calls: [{from: {workload: a}, request: {url: "http://b/"}, expect: {status: 200}}]\n';
  const head = "apiVersion: kumiko.dev/v1alpha1\nkind: MeshTest\nmetadata: {name: t, namespace: shop}\nspec:\n";
  writeFileSync(join(folder, "t.yaml"), `${head}  resources: ${resources}\n${calls}`);
  const { files } = await loadTests({ paths: ["t.yaml"], cwd: folder });
  const [loaded] = files[0]?.tests ?? [];
  return {
    names: loaded?.resources.map((resource) => formatRef(refOf(resource))),
    said: loaded?.diagnostics.map(({ code }) => code),
    errors: files[0]?.errors.map(({ file, line, column, message }) => `${file}:${line}:${column} ${message}`),
  };
}

test("a file is read for each namespace that it is named with", async () => {
  const read = await load("[{path: ./a.yaml, namespace: foo}, {path: ./a.yaml, namespace: bar}]");
  expect(read).toEqual({ names: ["Service/foo/web", "Service/bar/web"], said: [], errors: [] });
});

test("a file that is named twice for one namespace is read once", async () => {
  const read = await load("[./a.yaml, {path: ., namespace: shop}, {path: ./a.yaml}]");
  expect(read).toEqual({ names: ["Service/shop/web"], said: [], errors: [] });
});

test("a document that names another namespace than its file is read for stops the file", async () => {
  const read = await load("[{path: ./a.yaml, namespace: foo}]", SERVICE.replace("name: web", "name: web, namespace: bar"));
  expect(read.errors).toEqual(['a.yaml:3:23 metadata.namespace is "bar", where all of the file is for namespace foo']);
});

test("MeshConfig is found in a ConfigMap that has its namespace from the test", async () => {
  const map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio}\ndata: {mesh: 'accessLogFile: /dev/stdout'}\n";
  const read = await load("[{path: ./a.yaml, namespace: istio-system}]", map);
  expect(read.names).toContain("MeshConfig/istio-system/istio");
});

const put = (name: string, text: string) => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
};

test("a kustomization is what it renders, in the test's namespace, at the lines of its files", async () => {
  put("k/base/kustomization.yaml", "resources: [b.yaml]\n");
  put("k/base/b.yaml", `---\n${SERVICE}`);
  put("k/dev/kustomization.yaml", "resources: [../base]\nnamePrefix: dev-\n");
  expect(await load("[k/dev]")).toEqual({ names: ["Service/shop/dev-web"], said: [], errors: [] });
  const { files, watched } = await loadTests({ paths: ["t.yaml"], cwd: folder });
  expect(files[0]?.tests[0]?.resources[0]?.locate(["spec"])).toEqual({ file: "k/base/b.yaml", line: 5, column: 1 });
  expect((await stampOf(watched)).stamp).toBe(watched.stamp);
  put("k/base/b.yaml", SERVICE.replace("80", "81"));
  expect((await stampOf(watched)).stamp).not.toBe(watched.stamp);
});

test("what can't be rendered stops the file, and so do overlays of which none is named", async () => {
  put("k/dev/kustomization.yaml", "resources: [gone.yaml]\n");
  const none = { names: undefined, said: undefined };
  expect(await load("[k]")).toEqual({ ...none, errors: ["k/dev/kustomization.yaml:1:13 gone.yaml does not exist"] });
  put("k/base/kustomization.yaml", "resources: []\n");
  for (const name of ["dev", "prod"]) put(`k/${name}/kustomization.yaml`, "resources: [../base]\n");
  expect(await load("[k]")).toEqual({
    ...none,
    errors: [
      "k/dev/kustomization.yaml:1:1 2 kustomizations build on the same files, and none of them is read: nothing says which one is meant",
    ],
  });
});

test("a chart is watched with the values that are named for it", async () => {
  put("chart/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
  put("chart/templates/a.yaml", SERVICE);
  put("v.yaml", "a: 1\n");
  await load("[{path: chart, values: v.yaml}]");
  const { watched } = await loadTests({ paths: ["t.yaml"], cwd: folder });
  expect((await stampOf(watched)).stamp).toBe(watched.stamp);
  put("v.yaml", "a: 22\n");
  expect((await stampOf(watched)).stamp).not.toBe(watched.stamp);
});

test("tests are found beside overlays of which none is meant", async () => {
  put("k/base/kustomization.yaml", "resources: []\n");
  for (const name of ["dev", "prod"]) put(`k/${name}/kustomization.yaml`, "resources: [../base]\n");
  await load("[a.yaml]");
  const { files } = await loadTests({ paths: ["."], cwd: folder });
  expect(files.map(({ file, tests, errors }) => [file, tests.length, errors])).toEqual([["t.yaml", 1, []]]);
});
