import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { PrivateFolders } from "./private-folders.ts";

function makeFolders(): string {
  const base = mkdtempSync(join(tmpdir(), "kumiko-private-"));
  onTestFinished(() => rmSync(base, { recursive: true }));
  for (const name of [".git/hooks", "a/b/c/.kumiko/ca", "node_modules/x/.git"]) mkdirSync(join(base, name), { recursive: true });
  return base;
}

test("finds states and repositories however deep, and searches neither them nor packages", async () => {
  const base = makeFolders();
  expect([...(await new PrivateFolders().in(base))].toSorted()).toEqual([join(base, ".git"), join(base, "a/b/c/.kumiko")]);
});

test("who asks while it searches gets the same search; who asks later gets what is there then", async () => {
  const base = makeFolders();
  const folders = new PrivateFolders();
  const searches = [folders.in(base), folders.in(base)];
  expect(searches[0]).toBe(searches[1]);
  await Promise.all(searches);
  mkdirSync(join(base, "later/.git"), { recursive: true });
  expect(await folders.in(base)).toContain(join(base, "later/.git"));
});

test("other work goes on while it searches", async () => {
  const folders = new PrivateFolders();
  let turns = 0;
  const turn = setInterval(() => turns++);
  onTestFinished(() => clearInterval(turn));
  const base = makeFolders();
  for (let i = 0; i < 300; i++) mkdirSync(join(base, `wide/${i}/x`), { recursive: true });
  await folders.in(base);
  expect(turns).toBeGreaterThan(0);
});

test("a folder that is not there has none", async () => {
  expect(await new PrivateFolders().in("/nothing/there")).toEqual([]);
});
