import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { hiddenBases, hiddenPaths, visibleFolders } from "./visible-folders.ts";

const NODE = "/opt/node/bin/node";

function folders(...names: readonly string[]): string {
  const base = realpathSync(mkdtempSync(join(tmpdir(), "kumiko-visible-")));
  onTestFinished(() => rmSync(base, { recursive: true }));
  for (const name of names) mkdirSync(join(base, name), { recursive: true });
  return base;
}

test("applications see the packages of the npm project that their folder belongs to, not the project, and the Node that runs them", () => {
  const base = folders("clone/node_modules", "clone/platform", "clone/secrets");
  writeFileSync(join(base, "clone/package.json"), "{}");
  const packages = [join(base, "clone/package.json"), join(base, "clone/node_modules"), "/opt/node/bin"];
  expect(visibleFolders(join(base, "clone/platform"), NODE)).toEqual(packages);
  expect(visibleFolders(join(base, "clone"), NODE)).toEqual(packages);
});

test("workspaces that packages are links to are seen where they are; a link that leads nowhere is none", () => {
  const base = folders("clone/node_modules/@own", "clone/platform", "clone/kit", "clone/web");
  symlinkSync("../../kit", join(base, "clone/node_modules/@own/kit"));
  symlinkSync("../web", join(base, "clone/node_modules/web"));
  symlinkSync("../gone", join(base, "clone/node_modules/gone"));
  const seen = visibleFolders(join(base, "clone/platform"), NODE);
  expect(seen).toEqual(expect.arrayContaining([join(base, "clone/kit"), join(base, "clone/web")]));
  expect(seen).toHaveLength(4);
});

test("a folder in no project is visible alone", () => {
  expect(visibleFolders(folders("mesh"), NODE)).toEqual(["/opt/node/bin"]);
});

test("manifests and kumiko.yaml are hidden; where none are named, the folder itself is not", () => {
  const hidden = (...resources: readonly string[]) => hiddenPaths({ resources }, { root: "/home/a/mesh" });
  expect(hidden("/home/a/mesh/k8s", "/srv/more")).toEqual(["/home/a/mesh/kumiko.yaml", "/home/a/mesh/k8s", "/srv/more"]);
  expect(hidden("/home/a/mesh", "/home/a")).toEqual(["/home/a/mesh/kumiko.yaml"]);
});

describe("what a kustomization under resources takes in from elsewhere", () => {
  const mesh = (base: string) => {
    const root = folders("mesh/k8s/overlays/dev", `mesh/${base}`, "mesh/app");
    const write = (name: string, text: string) => writeFileSync(join(root, "mesh", name), text);
    write("k8s/overlays/dev/kustomization.yaml", `resources: [../../../${base}]\n`);
    write(`${base}/kustomization.yaml`, "resources: [a.yaml]\nsecretGenerator: [{name: s, envs: [secret.env]}]\n");
    write(`${base}/a.yaml`, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n");
    write(`${base}/secret.env`, "PASSWORD=p\n");
    return join(root, "mesh");
  };
  const hidden = async (root: string, workingDir: string) => {
    const settings = {
      resources: [join(root, "k8s/overlays/dev")],
      images: { app: { command: ["app"], args: [], env: {}, portEnv: undefined, workingDir } },
    };
    return (await hiddenBases(settings, root)).map((path) => path.slice(root.length + 1)).toSorted();
  };

  test("is hidden with its folder", async () => {
    expect(await hidden(mesh("k8s/base"), "app")).toEqual(["k8s/base"]);
  });

  test("is hidden file by file where an application lives in that folder", async () => {
    expect(await hidden(mesh("app"), "app")).toEqual(["app/a.yaml", "app/kustomization.yaml", "app/secret.env"]);
  });

  test("is not, where it is below what is named", async () => {
    const root = mesh("k8s/base");
    expect(await hiddenBases({ resources: [join(root, "k8s")], images: {} }, root)).toEqual([]);
  });
});
