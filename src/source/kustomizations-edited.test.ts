import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { formatRef, refOf } from "../model/resource.ts";
import { textsInMemory } from "../testing/last-good-texts.ts";
import { writeBelow } from "../testing/write-file.ts";
import { type FileSource, startFileSource } from "./file-source.ts";
import type { Declared } from "./merge.ts";

let dir = "";
let seen: Declared[] = [];
let source: FileSource | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "kumiko-edited-"));
  seen = [];
  vi.stubEnv("PATH", "");
});

afterEach(async () => {
  await source?.close();
  source = undefined;
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true });
});

const write = (name: string, text: string) => writeBelow(dir, name, text);
const account = (name: string) => `apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ${name}}\n`;
const policy = (methods: string) =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: web}\nspec:\n  action: DENY\n  rules:\n${methods
    .split(" ")
    .map((method) => `    - to: [{operation: {methods: [${method}]}}]\n`)
    .join("")}`;
const last = () => seen.at(-1) ?? { resources: [], diagnostics: [] };
const shown = ({ resources }: Declared) =>
  resources
    .map((resource) =>
      `${formatRef(refOf(resource))} ${
        /"(GET|PUT|POST)".*/
          .exec(JSON.stringify(resource.body))?.[0]
          .match(/GET|PUT|POST/g)
          ?.join(" ") ?? ""
      }`.trim(),
    )
    .toSorted();
const errors = ({ diagnostics }: Declared) =>
  diagnostics.filter(({ severity }) => severity === "error").map(({ code, message }) => `${code} ${message}`.replaceAll(`${dir}/`, ""));
const start = async ({ lastGood = textsInMemory(), quietMs = 100 } = {}) => {
  source = await startFileSource({
    paths: [dir],
    lastGood,
    onChange: (declared) => seen.push(declared),
    pollMs: 60_000,
    settleMs: 5,
    quietMs,
  });
};
const until = (condition: () => void) =>
  vi.waitFor(
    async () => {
      await source?.refresh();
      condition();
    },
    { timeout: 20_000, interval: 20 },
  );

const KUSTOMIZATION = "namespace: shop\nresources:\n  - policy.yaml\npatches:\n  - path: patch.yaml\n";
const AS_PATCHED = ["AuthorizationPolicy/shop/web GET PUT", "ServiceAccount/default/other"];
const patched = async () => {
  await write("kustomization.yaml", KUSTOMIZATION);
  await write("policy.yaml", policy("GET"));
  await write("patch.yaml", policy("GET PUT"));
  await write("other.yaml", account("other"));
};
const nothingElseWas = () => {
  for (const declared of seen) expect(shown(declared)).toEqual(AS_PATCHED);
};

describe("what a kustomization takes in is never read without it", () => {
  test("while it is empty", async () => {
    await patched();
    await start();
    await write("kustomization.yaml", "");
    await until(() => expect(errors(last())).toEqual(["KMK0007 the kustomization is empty"]));
    nothingElseWas();
  });

  test("by a process that starts over an empty one", async () => {
    await patched();
    const lastGood = textsInMemory();
    await start({ lastGood });
    await source?.close();
    await write("kustomization.yaml", "# nothing yet\n");
    await start({ lastGood });
    expect(errors(last())).toEqual(["KMK0007 the kustomization is empty"]);
    nothingElseWas();
  });

  test("while it is cut off", async () => {
    await patched();
    await start();
    await write("kustomization.yaml", "namespace: shop\nresources:\n  - policy.yaml\npatches:\n");
    await until(() => expect(errors(last())).toEqual([expect.stringContaining("KMK0002 kustomization.yaml ends in the middle")]));
    nothingElseWas();
  });

  test.each(["policy.yaml", "patch.yaml"])("while %s is cut off", async (file) => {
    await patched();
    await start();
    await write(file, (file === "patch.yaml" ? policy("GET PUT") : policy("GET")).slice(0, -40).trimEnd());
    await until(() => expect(errors(last()).length).toBeGreaterThan(0));
    nothingElseWas();
  });

  test("while a line that a writer has not come to is missing, until it has been quiet", async () => {
    await patched();
    await start({ quietMs: 60_000 });
    await write("patch.yaml", policy("GET"));
    await write("kustomization.yaml", KUSTOMIZATION.slice(0, KUSTOMIZATION.indexOf("patches:")));
    for (let i = 0; i < 3; i++) await source?.refresh();
    nothingElseWas();
    expect(errors(last())).toEqual([]);
  });

  test("while it is gone, until that has been quiet; then what restricted is held back", async () => {
    await patched();
    await start({ quietMs: 60_000 });
    await rm(join(dir, "kustomization.yaml"));
    for (let i = 0; i < 3; i++) await source?.refresh();
    await write("kustomization.yaml", KUSTOMIZATION);
    await source?.refresh();
    nothingElseWas();
    await source?.close();
    await start();
    await rm(join(dir, "kustomization.yaml"));
    await until(() => expect(source?.heldRemovals()).toMatchObject([{ resource: { metadata: { namespace: "shop" } }, reason: "gone" }]));
  });
});

describe("what runs goes on", () => {
  test("beside a kustomization that is no YAML", async () => {
    await patched();
    const lastGood = textsInMemory();
    await start({ lastGood });
    await write("kustomization.yaml", "resources: [\n");
    await until(() => expect(errors(last()).length).toBe(1));
    await source?.close();
    await start({ lastGood });
    nothingElseWas();
    await write("kustomization.yaml", `${KUSTOMIZATION}namePrefix: a-\n`);
    await until(() => expect(shown(last()).join(" ")).toContain("AuthorizationPolicy/shop/a-web GET PUT"));
    expect(errors(last())).toEqual([]);
  });

  test("as it was while a second overlay leaves open which one is meant", async () => {
    await write("base/kustomization.yaml", "resources: [a.yaml]\n");
    await write("base/a.yaml", account("a"));
    await write("overlays/dev/kustomization.yaml", "resources: [../../base]\nnamespace: dev\n");
    const lastGood = textsInMemory();
    await start({ lastGood });
    await write("overlays/prod/kustomization.yaml", "resources: [../../base]\nnamespace: prod\n");
    await until(() => expect(errors(last())).toEqual([expect.stringContaining("2 kustomizations build on the same files")]));
    await source?.close();
    await start({ lastGood });
    expect(shown(last())).toEqual(["ServiceAccount/dev/a"]);
  });
});

describe("what can't be rendered for a reason outside of it is tried again", () => {
  const kustomize = async (script: string) => {
    await write("bin/kustomize", `#!/bin/sh\n${script}\n`);
    await chmod(join(dir, "bin/kustomize"), 0o755);
    vi.stubEnv("PATH", `${join(dir, "bin")}:/usr/bin:/bin`);
  };

  test("when its program was killed", async () => {
    await write("k/kustomization.yaml", "resources: [a.yaml]\n");
    await write("k/a.yaml", account("a"));
    await kustomize(`[ -e ${dir}/bin/more ] || { : > ${dir}/bin/more; kill -9 $$; }\ncat ${dir}/k/a.yaml`);
    await start({ quietMs: 5 });
    expect(errors(last())).toEqual([expect.stringContaining("kustomize can't render it")]);
    await until(() => expect(shown(last())).toEqual(["ServiceAccount/default/a"]));
  });

  test("once a program is installed that can", async () => {
    await write("k/kustomization.yaml", "resources: [a.yaml]\nreplacements: [{path: r.yaml}]\n");
    await write("k/a.yaml", account("a"));
    await write("k/r.yaml", "[]\n");
    await start({ quietMs: 5 });
    expect(errors(last())).toEqual([expect.stringContaining("beyond what is rendered without kustomize")]);
    await kustomize(`cat ${dir}/k/a.yaml`);
    await until(() => expect(shown(last())).toEqual(["ServiceAccount/default/a"]));
  });

  test("where no temporary folder can be made, and nothing else suffers", async () => {
    await write("k/kustomization.yaml", "resources: [a.yaml]\n");
    await write("k/a.yaml", account("a"));
    await write("b.yaml", account("b"));
    await kustomize(`cat ${dir}/k/a.yaml`);
    vi.stubEnv("TMPDIR", join(dir, "none"));
    await start({ quietMs: 5 });
    expect(shown(last())).toEqual(["ServiceAccount/default/b"]);
    expect(errors(last())).toEqual([expect.stringContaining("no such file or directory, mkdtemp")]);
  });
});
