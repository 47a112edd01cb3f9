import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const PLATFORM = join(import.meta.dirname, "..");
const read = (...path: string[]) => readFileSync(join(PLATFORM, ...path), "utf8");
const example = new Map([...read(".env.example").matchAll(/^([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, name = "", value = ""]) => [name, value]));

/** Where programs say what they are told: `main.ts` and `config.ts` of each, as `NAME: schema`, and the variables that are read at once. */
const sources = readdirSync(join(PLATFORM, "src"), { recursive: true, encoding: "utf8" })
  .filter((file) => /(^|\/)src\/(main|config|places)\.ts$/.test(file))
  .map((file) => read("src", file));
const declared = sources.flatMap((text) => [
  ...[...text.matchAll(/^\s+([A-Z][A-Z0-9_]*): /gm)].map(([, name = ""]) => name),
  ...[...text.matchAll(/\{ ([A-Z][A-Z0-9_]*): port/g)].map(([, name = ""]) => name),
  ...[...text.matchAll(/env\["([A-Z][A-Z0-9_]*)"\]/g)].map(([, name = ""]) => name),
]);

/** Set by whoever starts a program, everywhere. */
const SYSTEM = ["CI", "HOME", "PATH"];

test(".env.example names every variable that a program reads", () => {
  expect(declared.length).toBeGreaterThan(20);
  expect([...new Set(declared)].filter((name) => !example.has(name) && !SYSTEM.includes(name))).toEqual([]);
});

test("the manifests set no variable that no program reads", () => {
  const folder = join(PLATFORM, "infra");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".yaml"));
  const set = files.flatMap((file) =>
    [...readFileSync(join(folder, file), "utf8").matchAll(/name: ([A-Z][A-Z0-9_]{2,})\b/g)].map(([, name = ""]) => name),
  );
  expect(set).not.toEqual([]);
  expect([...new Set(set)].filter((name) => !declared.includes(name))).toEqual([]);
});

test(".env.example holds no secret", () => {
  const withPassword = [...example.values()].filter((value) => value.includes("@"));
  expect(withPassword.filter((value) => !value.includes("CHANGE-ME"))).toEqual([]);
});
