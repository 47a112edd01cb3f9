import { chmod, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { formatRef, refOf } from "../model/resource.ts";
import { writeBelow } from "../testing/write-file.ts";
import { readFiles } from "./file-source.ts";

let dir = "";

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "kumiko-hostile-"));
  vi.stubEnv("PATH", "");
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true });
});

const write = (name: string, text: string) => writeBelow(dir, name, text);
const account = (name: string) => `apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ${name}}\n`;
const read = async (folder = "") => {
  const { resources, diagnostics } = await readFiles([join(dir, folder)]);
  return {
    names: resources.map((resource) => formatRef(refOf(resource))).toSorted(),
    told: diagnostics.map(({ severity, message }) => `${severity} ${message}`.replaceAll(`${dir}/`, "")),
  };
};

describe("nothing is passed over in silence", () => {
  test("kustomizations that take in each other", async () => {
    await write("a/kustomization.yaml", "resources: [../b, x.yaml]\n");
    await write("b/kustomization.yaml", "resources: [../a]\n");
    await write("a/x.yaml", account("x"));
    expect(await read()).toEqual({ names: [], told: [expect.stringMatching(/^error \.\.\/a leads back to itself/)] });
  });

  test("two kustomizations of one folder", async () => {
    await write("kustomization.yaml", "resources: [x.yaml]\n");
    await write("kustomization.yml", "resources: [y.yaml]\n");
    for (const name of ["x", "y"]) await write(`${name}.yaml`, account(name));
    const { names, told } = await read();
    expect(names).toEqual([]);
    expect(told).toEqual([
      expect.stringMatching(/^error .* has several kustomizations, and none of them is read: kustomization.yaml, kustomization.yml$/),
    ]);
  });

  test("a folder on the PATH that is called like the program is none", async () => {
    await mkdir(join(dir, "bin/kustomize"), { recursive: true });
    vi.stubEnv("PATH", join(dir, "bin"));
    await write("k/kustomization.yaml", "resources: [x.yaml]\n");
    await write("k/x.yaml", account("x"));
    expect(await read("k")).toEqual({ names: ["ServiceAccount/default/x"], told: [] });
  });
});

describe("what stands for more than it says ends with a word", () => {
  const TOO_LARGE = [expect.stringMatching(/^error it stands for more than 16 MiB/)];

  test("a JSON patch that copies what it has copied", async () => {
    const ops = Array.from({ length: 40 }, (_, i) => ({ op: "copy", from: "", path: `/x${i}` }));
    await write("kustomization.yaml", `resources: [a.yaml]\npatches: [{target: {kind: .*}, patch: '${JSON.stringify(ops)}'}]\n`);
    await write("a.yaml", account("a"));
    expect((await read()).told).toEqual(TOO_LARGE);
  });

  test("a large base under many names", async () => {
    await write("l0/kustomization.yaml", "resources: [a.yaml]\n");
    await write("l0/a.yaml", `${account("a")}data: {a: ${"x".repeat(500_000)}}\n`);
    for (let i = 1; i < 9; i++) {
      await write(`l${i}/kustomization.yaml`, "resources: [a, b]\n");
      for (const side of ["a", "b"]) await write(`l${i}/${side}/kustomization.yaml`, `resources: [../../l${i - 1}]\nnamePrefix: ${side}\n`);
    }
    expect((await read("l8")).told).toEqual(TOO_LARGE);
  });

  test.each([
    ["a label", "commonLabels: {a: WORD}\n"],
    ["an annotation", "commonAnnotations: {a: WORD}\n"],
    ["a prefix", "namePrefix: WORD\n"],
    ["a patch", "patches: [{target: {kind: .*}, patch: '{metadata: {annotations: {a: WORD}}}'}]\n"],
  ])("%s of many resources", async (_, field) => {
    await write("kustomization.yaml", `resources: [all.yaml]\n${field.replace("WORD", "x".repeat(200_000))}`);
    await write("all.yaml", Array.from({ length: 200 }, (_, i) => account(`a${i}`)).join("---\n"));
    expect((await read()).told).toEqual(TOO_LARGE);
  });
});

// Each takes minutes where the work grows with the square of what is written.
describe("what is long takes no longer than it is long", () => {
  test("many files, literals and selectors", { timeout: 60_000 }, async () => {
    const count = 150_000;
    const literals = Array.from({ length: count }, (_, i) => `  - k${i}=v\n`).join("");
    await write("kustomization.yaml", `resources: [a.yaml]\nconfigMapGenerator:\n- name: c\n  literals:\n${literals}`);
    await write("a.yaml", account("a"));
    const { names } = await read();
    expect(names).toEqual([expect.stringContaining("ConfigMap/default/c-"), "ServiceAccount/default/a"]);
    await write(
      "s/kustomization.yaml",
      `resources: [a.yaml]\npatches: [{target: {labelSelector: '${"a,".repeat(count)}'}, patch: '[]'}]\n`,
    );
    await write("s/a.yaml", account("a"));
    expect((await read("s")).names).toEqual(["ServiceAccount/default/a"]);
    await write("i/kustomization.yaml", "resources: [a.yaml]\nimages: [{name: '.*', newName: b}]\n");
    await write("i/a.yaml", `${account("a")}containers: [{name: a, image: "${"a/:".repeat(count)}@\\n"}]\n`);
    expect((await read("i")).names).toEqual(["ServiceAccount/default/a"]);
  });

  test("where one program rendered many resources of one file", { timeout: 60_000 }, async () => {
    const all = Array.from({ length: 8000 }, (_, i) => account(`a${i}`)).join("---\n");
    await write("k/kustomization.yaml", "resources: [all.yaml]\n");
    await write("k/all.yaml", all);
    await write("bin/kustomize", `#!/bin/sh\ncat ${dir}/k/all.yaml\n`);
    await chmod(join(dir, "bin/kustomize"), 0o755);
    vi.stubEnv("PATH", `${dir}/bin:/usr/bin:/bin`);
    const { resources } = await readFiles([join(dir, "k")]);
    const places = resources.map((resource) => [resource.metadata.name, resource.locate([]).line]);
    expect(places).toEqual(Array.from({ length: 8000 }, (_, i) => [`a${i}`, 4 * i + 1]));
  });
});

describe("what kustomize would take in is seen", () => {
  test("whatever the case of a field's name, letters beyond ASCII included", async () => {
    for (const [folder, field] of Object.entries({ k: "Resources", l: "re\u017fources", m: "BASES" })) {
      await write(`${folder}/kustomization.yaml`, `${field}: [https://example.com/x]\n`);
      expect((await read(folder)).told).toEqual([expect.stringContaining("https://example.com/x would have to be fetched")]);
    }
    await write("n/kustomization.yaml", "ConfigMapGenerator: [{name: a, Files: [b=https://example.com/y]}]\n");
    expect((await read("n")).told).toEqual([expect.stringContaining("https://example.com/y would have to be fetched")]);
  });

  test("a URL is one even where a file is called like it", async () => {
    await write("kustomization.yaml", "resources: [http://127.0.0.1:9/a.yaml]\n");
    await write("http:/127.0.0.1:9/a.yaml", account("a"));
    expect((await read()).told).toEqual([expect.stringContaining("http://127.0.0.1:9/a.yaml would have to be fetched")]);
  });

  test("a base in a folder whose name has a line break", async () => {
    await write("kustomization.yaml", 'resources: ["a\\nb"]\n');
    await write("a\nb/kustomization.yaml", "resources: [https://example.com/x]\n");
    expect((await read()).told).toEqual([expect.stringContaining("would have to be fetched")]);
  });

  test("a base is what it is from where links lead to, or none", async () => {
    await write("real/deep/kustomization.yaml", "resources: [../base]\n");
    await write("real/base/kustomization.yaml", "resources: [https://example.com/x]\n");
    await write("base/kustomization.yaml", "resources: [a.yaml]\n");
    await write("base/a.yaml", account("a"));
    await symlink(join(dir, "real/deep"), join(dir, "linked"));
    await write("top/kustomization.yaml", "resources: [../linked]\n");
    const { names, told } = await read("top");
    expect(names).toEqual([]);
    expect(told).toEqual([expect.stringMatching(/^error \.\.\/base leads elsewhere, since linked is a link to real\/deep/)]);
  });

  test("patches that are a list of files are no resources", async () => {
    await write("kustomization.yaml", "resources: [a.yaml]\npatches: [p.yaml]\n");
    await write("a.yaml", account("a"));
    await write("p.yaml", account("p"));
    expect((await read()).names).toEqual([]);
  });
});
