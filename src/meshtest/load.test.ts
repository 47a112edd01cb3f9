import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { formatRef, refOf } from "../model/resource.ts";
import { loadTests } from "./load.ts";

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
