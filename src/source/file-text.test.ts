import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readFileText } from "./file-text.ts";
import { LIMITS } from "./limits.ts";

const folder = mkdtempSync(join(tmpdir(), "kumiko-file-text-"));
const path = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a file's text", async () => {
  writeFileSync(path("a.yaml"), "a: ä\n");
  expect(await readFileText(path("a.yaml"))).toBe("a: ä\n");
});

test.each([
  ["a pipe that nobody writes to", "pipe", () => spawnSync("mkfifo", [path("pipe")]), "no regular file"],
  ["a folder", "folder", () => mkdirSync(path("folder")), "it is a folder"],
  ["nothing", "nothing", () => {}, "it does not exist"],
  ["more than the limit", "big", () => writeFileSync(path("big"), Buffer.alloc(LIMITS.fileBytes + 1)), "larger than 4 MiB"],
  ["bytes that are no UTF-8", "bytes", () => writeFileSync(path("bytes"), Buffer.from([0xff, 0xfe])), "is not UTF-8"],
])("%s is a diagnostic, and holds nobody up", async (_, name, make, said) => {
  make();
  expect(await readFileText(path(name))).toMatchObject({
    message: expect.stringContaining(said) as string,
    position: { file: path(name) },
  });
});
