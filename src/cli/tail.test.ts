import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { boundLog } from "../agent/bounded-log.ts";
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

describe("followFile", () => {
  const OLD = Array.from({ length: 2000 }, (_, i) => `old ${i}\n`).join("");
  const LONG = `${"longer than all that was there before ".repeat(1000)}\n`;
  let text: string;

  /** Follows from the end of what is there. */
  function follow(): void {
    const controller = new AbortController();
    text = "";
    const done = followFile(file, tailOf(file, undefined).end, (part) => (text += part), controller.signal);
    onTestFinished(() => {
      controller.abort();
      return done;
    });
  }
  const handedOver = (all: string) => vi.waitFor(() => expect(text).toBe(all), { timeout: 10_000 });

  const CUTS = [
    {
      how: "another file takes its place",
      cut: () => {
        renameSync(file, `${file}.1`);
        writeFileSync(file, "");
      },
    },
    { how: "its end is kept, and it is cut", cut: () => expect(boundLog(file, 8000)).toBe(true) },
  ];
  test.each(CUTS)("hands over all that is added, until the signal, when $how", async ({ cut }) => {
    writeFileSync(file, OLD);
    follow();
    appendFileSync(file, "new\n");
    await handedOver("new\n");
    appendFileSync(file, "last\n");
    cut();
    await handedOver("new\nlast\n");
    appendFileSync(file, "next\n");
    await handedOver("new\nlast\nnext\n");
    expect(text).not.toContain("old");
  });

  test.each(CUTS)("also where it is longer again by the next look, after that $how", async ({ cut }) => {
    writeFileSync(file, OLD);
    follow();
    appendFileSync(file, "new\n");
    await handedOver("new\n");
    appendFileSync(file, "last\n");
    cut();
    appendFileSync(file, LONG);
    await handedOver(`new\nlast\n${LONG}`);
    expect(text).not.toContain("old");
  });

  test("a file that was cut with nothing kept is read from its start", async () => {
    writeFileSync(file, OLD);
    follow();
    truncateSync(file);
    appendFileSync(file, "n\n");
    await handedOver("n\n");
    expect(text).toBe("n\n");
  });

  test("a file that is gone for a moment is read when it is back", async () => {
    writeFileSync(file, OLD);
    follow();
    renameSync(file, `${file}.1`);
    appendFileSync(`${file}.1`, "last\n");
    await handedOver("last\n");
    writeFileSync(file, "new\n");
    await handedOver("last\nnew\n");
    expect(text).not.toContain("old");
  });
});
