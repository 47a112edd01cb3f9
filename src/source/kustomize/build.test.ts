import { existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { formatPosition } from "../../model/position.ts";
import { idOf } from "./item.ts";
import { render } from "./render.ts";
import { findTree } from "./tree.ts";
import { type Fields, isFields } from "./values.ts";

const CASES = "testdata/kustomize";

/** By kind and name, since nothing depends on the order. */
function byName(values: readonly unknown[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(values.filter(isFields).map((value) => [JSON.stringify(idOf(value)), parse(JSON.stringify(value)) as unknown]));
}

const CASE_NAMES = readdirSync(CASES);
const programs = ["kustomize", "kubectl"].filter((name) =>
  (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, name))),
);

/** `expected.yaml` is what kustomize 5.7.1 printed. */
const recorded = (name: string) =>
  parseAllDocuments(readFileSync(join(CASES, name, "expected.yaml"), "utf8")).map((document): unknown => document.toJS());
const renderCase = async (name: string, searchPath: string) =>
  await render(await findTree(join(CASES, name, "kustomization.yaml"), new Map()), { searchPath });

describe("what is built in renders as kustomize does", () => {
  test.each(CASE_NAMES)("%s", async (name) => {
    const { documents, diagnostics } = await renderCase(name, "");
    expect(diagnostics).toEqual([]);
    expect(byName(documents.map(({ value }) => value))).toEqual(byName(recorded(name)));
  });
});

describe.skipIf(programs.length === 0)("kustomize itself", () => {
  test.each(CASE_NAMES)("says of %s what was recorded, and each resource stands where the built-in one has it", async (name) => {
    const outside = await renderCase(name, process.env["PATH"] ?? "");
    const inside = await renderCase(name, "");
    expect(outside.diagnostics).toEqual([]);
    expect(byName(outside.documents.map(({ value }) => value))).toEqual(byName(recorded(name)));
    const places = ({ documents }: typeof outside) =>
      Object.fromEntries(documents.map(({ value, locate }) => [JSON.stringify(idOf(value as Fields)), formatPosition(locate([]))]));
    expect(places(outside)).toEqual(places(inside));
  });
});
