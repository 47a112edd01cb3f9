import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { followFile, tailOf } from "./tail.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-tail-"));
  file = join(folder, "a.log");
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("tailOf", () => {
  test.each([
    { text: "1\n2\n3\n", lines: undefined, expected: "1\n2\n3\n" },
    { text: "1\n2\n3\n", lines: 2, expected: "2\n3\n" },
    { text: "1\n2\n3", lines: 1, expected: "3" },
    { text: "1\n2\n3\n", lines: 9, expected: "1\n2\n3\n" },
    { text: "1\n2\n", lines: 0, expected: "" },
    { text: "", lines: 5, expected: "" },
    { text: "\n\n", lines: 1, expected: "\n" },
  ])("the last $lines of $text", ({ text, lines, expected }) => {
    writeFileSync(file, text);
    expect(tailOf(file, lines).text).toBe(expected);
  });

  test("looks further back than one piece", () => {
    writeFileSync(file, `first\n${"x".repeat(200_000)}\nlast\n`);
    expect(tailOf(file, 2).text).toHaveLength(200_000 + 1 + 5);
  });
});

test("followFile hands over what is added, also after the file was rotated, until the signal", async () => {
  writeFileSync(file, "old\n");
  const controller = new AbortController();
  let text = "";
  const done = followFile(file, 4, (part) => (text += part), controller.signal);
  appendFileSync(file, "new\n");
  await vi.waitFor(() => expect(text).toBe("new\n"), { timeout: 10_000 });
  renameSync(file, `${file}.1`);
  writeFileSync(file, "after the rotation\n");
  await vi.waitFor(() => expect(text).toBe("new\nafter the rotation\n"), { timeout: 10_000 });
  controller.abort();
  await done;
});
