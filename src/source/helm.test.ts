import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { formatPosition } from "../model/position.ts";
import { formatRef, refOf } from "../model/resource.ts";
import type { ResourcePath } from "../model/resource-path.ts";
import { textsInMemory } from "../testing/last-good-texts.ts";
import { writeBelow } from "../testing/write-file.ts";
import { readFiles, startFileSource } from "./file-source.ts";
import type { Declared } from "./merge.ts";

let dir = "";

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "kumiko-charts-"));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true });
});

const write = (name: string, text: string) => writeBelow(dir, name, text);

const ACCOUNT = "# who\n\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {{ .Values.name }}\n";
const CONFIG =
  "{{ if .Values.config }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}, namespace: elsewhere}\n{{ end }}\n";

const chart = async (folder: string) => {
  await write(`${folder}/Chart.yaml`, "apiVersion: v2\nname: web\nversion: 1.0.0\n");
  await write(`${folder}/values.yaml`, "name: from-chart\nconfig: false\n");
  await write(`${folder}/templates/account.yaml`, ACCOUNT);
  await write(`${folder}/templates/config.yaml`, CONFIG);
  await write("values-dev.yaml", "name: from-dev\nconfig: true\n");
};

const read = async (given: ResourcePath) => {
  const { resources, diagnostics } = await readFiles([given]);
  const shown = resources.map((resource) => `${formatRef(refOf(resource))} ${formatPosition(resource.locate([])).replace(`${dir}/`, "")}`);
  return { shown: shown.toSorted(), told: diagnostics.map(({ severity, code, message }) => `${severity} ${code} ${message}`), diagnostics };
};

const isHelmHere = (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, "helm")));

describe.skipIf(!isHelmHere)("helm itself", () => {
  test("renders a chart that a path names; positions are the templates', at the kind", async () => {
    await chart("-n");
    expect(await read(join(dir, "-n"))).toMatchObject({
      told: [],
      shown: ["ServiceAccount/default/from-chart -n/templates/account.yaml:4"],
    });
  });

  test("with values and a namespace; what names another stays there", async () => {
    await chart("-n");
    const { told, shown } = await read({ path: join(dir, "-n"), namespace: "shop", values: join(dir, "values-dev.yaml") });
    expect(told).toEqual([]);
    expect(shown).toEqual(["ConfigMap/elsewhere/n -n/templates/config.yaml:3", "ServiceAccount/shop/from-dev -n/templates/account.yaml:4"]);
  });

  test("is quoted where it fails", async () => {
    await chart("web");
    await write("web/templates/bad.yaml", '{{ fail "a name is needed" }}');
    expect((await read(join(dir, "web"))).told).toEqual([
      expect.stringMatching(/^error KMK0007 helm can't render it: [^]*a name is needed/),
    ]);
  });
});

describe("a program in helm's place", () => {
  const program = async (script: string) => {
    await write("bin/helm", `#!/bin/sh\n${script}\n`);
    await chmod(join(dir, "bin/helm"), 0o755);
    vi.stubEnv("PATH", `${dir}/bin:/usr/bin:/bin`);
  };

  test("gets the folder after the last option, and no plugins", async () => {
    await chart("-n");
    await program(
      `printf -- '---\\n# Source: web/templates/account.yaml\\napiVersion: v1\\nkind: ServiceAccount\\nmetadata: {name: a, annotations: {called: "%s", plugins: "%s"}}\\n' "$*" "$HELM_PLUGINS"`,
    );
    const { resources } = await readFiles([{ path: join(dir, "-n"), namespace: "shop", values: join(dir, "values-dev.yaml") }]);
    expect(resources[0]?.metadata).toMatchObject({
      namespace: "shop",
      annotations: {
        called: `template --values=${dir}/values-dev.yaml --namespace=shop --skip-tests -- n ${dir}/-n`,
        plugins: "/nonexistent",
      },
    });
    expect(resources[0]?.locate([])).toMatchObject({ file: join(dir, "-n/templates/account.yaml"), line: 4 });
  });
});

describe("what helm prints", () => {
  const printing = async (text: string) => {
    await chart("web");
    await write("bin/helm", `#!/bin/sh\ncat ${dir}/printed\n`);
    await chmod(join(dir, "bin/helm"), 0o755);
    await write("printed", text);
    vi.stubEnv("PATH", `${dir}/bin:/usr/bin:/bin`);
  };
  const ACCOUNT_A = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n";

  test("a list's items are in the path's namespace", async () => {
    await printing(
      `---\n# Source: web/templates/account.yaml\napiVersion: v1\nkind: List\nitems: [${JSON.stringify({ kind: "ServiceAccount", apiVersion: "v1", metadata: { name: "a" } })}]\n`,
    );
    expect(await read({ path: join(dir, "web"), namespace: "shop" })).toMatchObject({
      told: [],
      shown: [expect.stringContaining("ServiceAccount/shop/a web/templates/account.yaml")],
    });
  });

  test("with other values it is another one", async () => {
    await printing("");
    await write("bin/helm", `#!/bin/sh\nprintf 'apiVersion: v1\\nkind: ServiceAccount\\nmetadata: {name: %s}' "$(cat \${2#--values=})"\n`);
    const paths = ["one", "other"].map((name) => ({ path: join(dir, "web"), namespace: "shop", values: join(dir, name) }));
    for (const { values } of paths) await writeFile(values, values.slice(dir.length + 1));
    await write("web/extra.yaml", ACCOUNT_A);
    const lastGood = textsInMemory();
    const names = async () => {
      const seen: Declared[] = [];
      const source = await startFileSource({ paths, lastGood, onChange: (declared) => seen.push(declared) });
      await source.close();
      return seen[0]?.resources.map(({ metadata }) => metadata.name).toSorted();
    };
    expect(await names()).toEqual(["a", "one", "other"]);
    vi.stubEnv("PATH", "");
    expect(await names()).toEqual(["a", "one", "other"]);
  });

  test("beside it other files of its folder are read as they are", async () => {
    await printing(`---\n# Source: web/templates/account.yaml\n${ACCOUNT_A}`);
    await write("web/extra.yaml", ACCOUNT_A.replace("name: a", "name: b"));
    expect((await read(join(dir, "web"))).shown).toEqual([
      "ServiceAccount/default/a web/templates/account.yaml:4",
      "ServiceAccount/default/b web/extra.yaml:1",
    ]);
  });

  test("a source that is no file of the chart is not believed", async () => {
    await write("other.yaml", ACCOUNT_A);
    await printing(`---\n# Source: web/../other.yaml\n${ACCOUNT_A}`);
    expect((await read(join(dir, "web"))).shown).toEqual(["ServiceAccount/default/a web/Chart.yaml:1"]);
  });

  test("what is no resource is an error", async () => {
    await printing(`---\n# Source: web/templates/account.yaml\njust words\n---\n${ACCOUNT_A}`);
    expect(await read(join(dir, "web"))).toMatchObject({
      told: ["error KMK0007 what web/templates/account.yaml makes is no resource"],
      shown: [],
    });
  });

  test("values whose path has a comma are one file", async () => {
    await printing("");
    await write(
      "bin/helm",
      `#!/bin/sh\nprintf '${ACCOUNT_A.replaceAll("\n", "\\n").replace("name: a", "name: a, annotations: {called: %s}")}' "'$2'"\n`,
    );
    const { resources } = await readFiles([{ path: join(dir, "web"), values: join(dir, 'a,"b.yaml') }]);
    expect(resources[0]?.metadata.annotations).toEqual({ called: `--values="${dir}/a,""b.yaml"` });
  });
});

describe("without helm", () => {
  test("a chart that a path names is an error with the command, and nothing of it enters", async () => {
    vi.stubEnv("PATH", "");
    await chart("web");
    const { told, shown, diagnostics } = await read({ path: join(dir, "web"), namespace: "shop" });
    expect(shown).toEqual([]);
    expect(told).toEqual(["error KMK0007 helm, which renders a chart, is not installed"]);
    expect(diagnostics[0]?.help).toBe(`install it, or read what it makes: helm template --namespace=shop -- web ${dir}/web > FILE.yaml`);
  });

  test("values for what is no chart are an error", async () => {
    await write("plain/a.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n");
    expect((await read({ path: join(dir, "plain"), values: join(dir, "v.yaml") })).told).toEqual([
      `error KMK0007 values are given for ${dir}/plain, which is no Helm chart`,
    ]);
  });
});
