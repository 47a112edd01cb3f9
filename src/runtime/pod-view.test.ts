import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ImageCommand } from "./kumiko-yaml.ts";
import type { DesiredPod } from "./pod.ts";
import { toPodView } from "./pod-view.ts";
import { PrivateFolders } from "./private-folders.ts";

let base: string;
const files = [
  "mesh/app/main.js",
  "mesh/.kumiko/ca/root.key",
  "mesh/manifests/a.yaml",
  "mesh/sub/.git/config",
  "mesh/sub/x/.kumiko/store.db",
];
const tools = ["tools/bin/run", "tools/lib/run.so", "tools/share/keyring", "versions/shims/py", "versions/libexec/py", "other/data/file"];

beforeAll(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "kumiko-view-")));
  for (const file of [...files, ...tools]) {
    mkdirSync(dirname(join(base, file)), { recursive: true });
    writeFileSync(join(base, file), "");
  }
  for (const file of ["other/data/file", "mesh/.kumiko/run"]) writeFileSync(join(base, file), "", { mode: 0o755 });
  chmodSync(join(base, "other/data/file"), 0o755);
  symlinkSync("../tools/bin/run", join(base, "mesh/linked"));
});
afterAll(() => rmSync(base, { recursive: true }));

const image = (over: Partial<ImageCommand>): ImageCommand => ({
  command: ["sh"],
  args: [],
  workingDir: ".",
  env: {},
  portEnv: undefined,
  ...over,
});

async function view(over: Partial<ImageCommand>, hidden: readonly string[] = [], command?: readonly string[]): Promise<readonly string[]> {
  const pod = { spec: { containers: [{ name: "a", image: "app", command }] } } as unknown as DesiredPod;
  const steps = await toPodView(pod, {
    folder: join(base, "mesh"),
    visible: [],
    hidden: hidden.map((path) => join(base, path)),
    images: { app: image(over) },
    privateFolders: new PrivateFolders(),
    path: `/usr/bin:${join(base, "tools/bin")}:${join(base, "versions/shims")}`,
  });
  return steps.map(({ kind, path }) => `${kind} ${path.replace(`${base}/`, "")}`);
}

const OWN = ["scratch mesh", "cover mesh/.kumiko", "cover mesh/sub/.git", "cover mesh/sub/x/.kumiko"];

describe("what a pod's programs find", async () => {
  test("their folder is writable for the pod's life; state and repositories in it are covered, however deep", async () => {
    expect(await view({})).toEqual(OWN);
  });

  test("what the mesh hides is covered where it would be seen, and nowhere else", async () => {
    expect(await view({}, ["mesh/manifests", "elsewhere"])).toEqual([OWN[0], "cover mesh/manifests", ...OWN.slice(1)]);
  });

  test("a program on the PATH comes with its libraries, and not with what else lies there", async () => {
    expect(await view({ command: ["run"] })).toEqual(
      [...OWN.slice(0, 1), "show tools/bin", "show tools/lib", ...OWN.slice(1)].toSorted(byDepth),
    );
  });

  test("a version manager's shims come with the folder that they lead to", async () => {
    expect(await view({ command: ["py"] })).toContain("show versions");
  });

  test("a program that is named by its path comes alone", async () => {
    expect(await view({ command: [join("..", "other/data/file")] })).toContain("show other/data/file");
    expect(await view({ command: ["./linked"] })).toEqual(OWN);
  });

  test.each(["other/data", "tools/share/keyring", "mesh/.kumiko/ca/root.key", "mesh/.kumiko/run", "nothing/there"])(
    "a manifest's command shows nothing but a program: not %s",
    async (path) => {
      expect(await view({}, [], [join(base, path)])).toEqual(OWN);
    },
  );

  test("an image's folder elsewhere is shown; the machine's root is no folder of an image", async () => {
    expect(await view({ workingDir: "../other" })).toContain("show other");
    expect(await view({ workingDir: "/" })).toEqual(OWN);
  });

  test("mounts show what is hidden otherwise", async () => {
    expect(await view({ mounts: ["manifests", "../other/data"] }, ["mesh/manifests"])).toEqual(
      expect.arrayContaining(["cover mesh/manifests", "show mesh/manifests", "show other/data"]),
    );
  });

  test("what is shown anyhow takes no step of its own", async () => {
    expect(await view({ mounts: ["app", "/usr/share"] })).toEqual(OWN);
  });
});

function byDepth(a: string, b: string): number {
  return a.split("/").length - b.split("/").length;
}
