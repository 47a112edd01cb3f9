import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { formatPosition } from "../model/position.ts";
import { formatRef, refOf } from "../model/resource.ts";
import { textsInMemory } from "../testing/last-good-texts.ts";
import { writeBelow } from "../testing/write-file.ts";
import { type FileSource, readFiles, startFileSource } from "./file-source.ts";
import type { Declared } from "./merge.ts";

let dir = "";
let seen: Declared[] = [];
let source: FileSource | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "kumiko-kustomizations-"));
  seen = [];
});

afterEach(async () => {
  await source?.close();
  source = undefined;
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true });
});

const write = (name: string, text: string) => writeBelow(dir, name, text);
const account = (name: string) => `apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ${name}}\n`;
const policy = (name: string, method = "GET") =>
  `# why\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: ${name}}\nspec: {rules: [{to: [{operation: {methods: [${method}]}}]}]}\n`;
const names = ({ resources }: Declared) => resources.map((resource) => formatRef(refOf(resource))).toSorted();
const told = ({ diagnostics }: Declared) =>
  diagnostics.map(({ code, severity, message, position }) =>
    `${severity} ${code} ${position === undefined ? "" : formatPosition(position)}: ${message}`
      .replaceAll(`${dir}/`, "")
      .replaceAll(dir, "."),
  );
const places = ({ resources }: Declared) => resources.map(({ locate }) => formatPosition(locate([])).replace(`${dir}/`, "")).toSorted();
const last = () => seen.at(-1) ?? { resources: [], diagnostics: [] };
const start = async (path = dir, lastGood = textsInMemory()) => {
  source = await startFileSource({
    paths: [path],
    lastGood,
    onChange: (declared) => seen.push(declared),
    pollMs: 60_000,
    settleMs: 5,
    quietMs: 50,
  });
};
const until = (condition: () => void) => vi.waitFor(condition, { timeout: 10_000, interval: 10 });
const withoutPrograms = () => vi.stubEnv("PATH", "");
const overlay = async (name: string, more = "") => {
  await write("base/kustomization.yaml", "resources: [all.yaml]\n");
  await write("base/all.yaml", `${account("web")}---\n${policy("web")}`);
  await write(`overlays/${name}/kustomization.yaml`, `resources: [../../base]\nnamespace: ${name}\n${more}`);
};

describe("a folder with a kustomization is what it renders", () => {
  test("with the positions of the base's files, and nothing of it comes twice", async () => {
    await overlay("dev", "namePrefix: dev-\nconfigMapGenerator: [{name: settings, literals: [a=b]}]\n");
    const read = await readFiles([join(dir, "overlays/dev")]);
    expect(told(read)).toEqual([]);
    expect(names(read)).toEqual(["AuthorizationPolicy/dev/dev-web", "ConfigMap/dev/dev-settings-4h2mbtbbt6", "ServiceAccount/dev/dev-web"]);
    expect(places(read)).toEqual(["base/all.yaml:1", "base/all.yaml:6", "overlays/dev/kustomization.yaml:4"]);
    const methods = read.resources.find(({ kind }) => kind === "AuthorizationPolicy")?.locate(["spec", "rules", 0, "to", 0]);
    expect(methods).toMatchObject({ file: join(dir, "base/all.yaml"), line: 9 });
  });

  test("files that it does not take in are read as they are; its patches are none", async () => {
    await write("kustomization.yaml", "resources: [a.yaml]\npatches: [{path: sub/patch.yaml}]\n");
    await write("a.yaml", account("a"));
    await write("b.yaml", account("b"));
    await write("sub/patch.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, labels: {patched: 'yes'}}\n");
    const read = await readFiles([dir]);
    expect(names(read)).toEqual(["ServiceAccount/default/a", "ServiceAccount/default/b"]);
    expect(read.resources.find(({ metadata }) => metadata.name === "a")?.metadata.labels).toEqual({ patched: "yes" });
    expect(told(read)).toEqual([]);
  });

  test("its namespace is that of the path for what names none", async () => {
    await write("kustomization.yaml", "resources: [a.yaml]\n");
    await write("a.yaml", account("a"));
    expect(names(await readFiles([{ path: dir, namespace: "shop" }]))).toEqual(["ServiceAccount/shop/a"]);
    expect(names(await readFiles([join(dir, "kustomization.yaml")]))).toEqual(["ServiceAccount/default/a"]);
  });
});

describe("several kustomizations in one tree", () => {
  test("overlays of one base: none is chosen, and nothing of the base enters", async () => {
    await overlay("dev");
    await overlay("prod");
    const read = await readFiles([dir]);
    expect(names(read)).toEqual([]);
    expect(told(read)).toEqual([
      "error KMK0007 overlays/dev/kustomization.yaml:1: 2 kustomizations build on the same files, and none of them is read: nothing says which one is meant",
    ]);
    expect(read.diagnostics[0]?.help).toBe(`name the folder of one: ${dir}/overlays/dev or ${dir}/overlays/prod`);
  });

  test("one overlay alone is meant, and so are several that share nothing", async () => {
    await overlay("dev");
    await write("other/kustomization.yaml", "resources: [a.yaml]\n");
    await write("other/a.yaml", account("a"));
    const read = await readFiles([dir]);
    expect(told(read)).toEqual([]);
    expect(names(read)).toEqual(["AuthorizationPolicy/dev/web", "ServiceAccount/default/a", "ServiceAccount/dev/web"]);
  });

  test("the one in the folder itself is meant, and another that it does not take in is named", async () => {
    await overlay("dev");
    await overlay("prod");
    await write("kustomization.yaml", "resources: [overlays/dev]\n");
    const read = await readFiles([dir]);
    expect(names(read)).toEqual(["AuthorizationPolicy/dev/web", "ServiceAccount/dev/web"]);
    expect(told(read)).toEqual(["info KMK1004 overlays/prod/kustomization.yaml:1: no part of kustomization.yaml, and not read"]);
  });
});

describe("what can't be rendered does not enter", () => {
  const failing: readonly (readonly [string, string, string])[] = [
    ["a field beyond what is built in", "replacements: [{path: r.txt}]\n", "kustomization.yaml:2: the field replacements is beyond"],
    [
      "a base that would be fetched",
      "components: ['https://example.com/x?ref=1']\n",
      "kustomization.yaml:2: https://example.com/x?ref=1 would have to be fetched",
    ],
    ["a file that is missing", "patches: [{path: gone.yaml}]\n", "kustomization.yaml:2: gone.yaml does not exist"],
    ["a file above the folder", "patches: [{path: ../outside.yaml}]\n", "kustomization.yaml:2: ../outside.yaml is not below"],
    ["a base that leads back", "components: [.]\n", "kustomization.yaml:2: . leads back to itself"],
    [
      "a patch without a target",
      "patches: [{patch: '{apiVersion: v1, kind: Pod, metadata: {name: x}}'}]\n",
      "kustomization.yaml:2: no resource is what the patch is for: Pod x",
    ],
    [
      "a directive of a patch",
      "patches: [{target: {kind: .*}, patch: '{metadata: {$retainKeys: [name]}}'}]\n",
      "kustomization.yaml:2: the directive $retainKeys",
    ],
    [
      "a JSON patch that fails",
      'patches: [{target: {}, patch: \'[{"op": "remove", "path": "/x"}]\'}]\n',
      "kustomization.yaml:2: the patch can't be applied: there is no /x",
    ],
    ["a name that comes twice", "configMapGenerator: [{name: a}, {name: a}]\n", "kustomization.yaml:2: ConfigMap a is there already"],
    ["a kustomization that is no YAML", "patches: [\n", "kustomization.yaml:"],
  ];
  test.each(failing)("%s", async (_, text, expected) => {
    withoutPrograms();
    await write("k/kustomization.yaml", `resources: [a.yaml]\n${text}`);
    await write("k/a.yaml", `${account("a")}---\n${policy("a")}`);
    await write("k/r.txt", "[]");
    await write("outside.yaml", account("outside"));
    const read = await readFiles([join(dir, "k")]);
    expect(names(read)).toEqual([]);
    expect(told(read)).toEqual([expect.stringContaining(`k/${expected}`)]);
    expect(read.diagnostics[0]).toMatchObject({ severity: "error" });
  });

  test("a diamond of bases on bases ends", async () => {
    withoutPrograms();
    await write("l0/kustomization.yaml", "configMapGenerator: [{name: a}]\n");
    for (let i = 1; i < 14; i++)
      await write(`l${i}/kustomization.yaml`, `resources: [${["a", "b"].map((side) => `l${i}${side}`).join(", ")}]\n`);
    for (let i = 1; i < 14; i++)
      for (const side of ["a", "b"])
        await write(`l${i}/l${i}${side}/kustomization.yaml`, `resources: [../../l${i - 1}]\nnamePrefix: ${side}\n`);
    expect(told(await readFiles([join(dir, "l13")]))).toEqual([expect.stringContaining("more than 2000 bases")]);
  });
});

describe("kustomize itself", () => {
  const program = async (script: string) => {
    await write("bin/kustomize", `#!/bin/sh\n${script}\n`);
    await chmod(join(dir, "bin/kustomize"), 0o755);
    vi.stubEnv("PATH", `${dir}/bin:/usr/bin:/bin`);
    await write("-k/kustomization.yaml", "resources: [a.yaml]\n");
    await write("-k/a.yaml", account("a"));
    return await readFiles([join(dir, "-k")]);
  };

  test("is asked by a folder of ours, whatever the user's is called, and not for what runs others' programs", async () => {
    const read = await program(
      `[ $# = 2 ] && [ "$1" = build ] && grep -q -- /-k "$2/kustomization.yaml" && echo '${JSON.stringify({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "theirs" } })}'`,
    );
    expect(told(read)).toEqual([]);
    expect(names(read)).toEqual(["ServiceAccount/default/theirs"]);
  });

  test("is quoted where it fails, without what would act on a terminal", async () => {
    expect(told(await program(`printf 'Error: \\033[31mno\\n' >&2; exit 1`))).toEqual([
      "error KMK0007 -k/kustomization.yaml:1: kustomize can't render it: Error: \\x1b[31mno",
    ]);
  });

  test("may print so much and no more", async () => {
    expect(told(await program("exec head -c 20000000 /dev/zero"))).toEqual([
      "error KMK0007 -k/kustomization.yaml:1: kustomize can't render it: it printed more than 16 MiB",
    ]);
  });
});

describe("watching", () => {
  test("an edit of a base elsewhere renders again; a broken one keeps the last good state, and says so", async () => {
    await overlay("dev");
    await start(join(dir, "overlays/dev"));
    expect(names(last())).toEqual(["AuthorizationPolicy/dev/web", "ServiceAccount/dev/web"]);
    await write("base/all.yaml", `${account("web")}---\n${policy("web", "POST")}`);
    await until(() => expect(JSON.stringify(last().resources)).toContain("POST"));
    await write("base/all.yaml", "a: [");
    await until(() => expect(told(last()).join("\n")).toContain("KMK0006"));
    expect(last().diagnostics[0]).toMatchObject({ severity: "error" });
    expect(names(last())).toEqual(["AuthorizationPolicy/dev/web", "ServiceAccount/dev/web"]);
    await write("base/all.yaml", `${account("web")}---\n${policy("web", "PUT")}`);
    await until(() => expect(JSON.stringify(last().resources)).toContain("PUT"));
    expect(told(last())).toEqual([]);
  });

  test("a process that starts over a broken base goes on with what was rendered last", async () => {
    const lastGood = textsInMemory();
    await overlay("dev");
    await start(join(dir, "overlays/dev"), lastGood);
    await source?.close();
    await write("base/all.yaml", "a: [");
    await start(join(dir, "overlays/dev"), lastGood);
    expect(names(last())).toEqual(["AuthorizationPolicy/dev/web", "ServiceAccount/dev/web"]);
    expect(places(last())).toEqual(["base/all.yaml:1", "base/all.yaml:6"]);
  });

  test("a policy that leaves with the kustomization is held back", async () => {
    await overlay("dev");
    await start(join(dir, "overlays/dev"));
    await rm(join(dir, "overlays/dev/kustomization.yaml"));
    await until(() =>
      expect(source?.heldRemovals().map(({ resource }) => formatRef(refOf(resource)))).toEqual(["AuthorizationPolicy/dev/web"]),
    );
  });

  test("a policy that an edit of the base takes out goes, as out of a plain file", async () => {
    await overlay("dev");
    await start(join(dir, "overlays/dev"));
    await write("base/all.yaml", account("web"));
    await until(() => expect(names(last())).toEqual(["ServiceAccount/dev/web"]));
    expect(source?.heldRemovals()).toEqual([]);
  });
});
