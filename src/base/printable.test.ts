import { expect, test } from "vitest";
import { printable, printableLines, terminalText } from "./printable.ts";

test.each([
  ["an escape sequence", "\u001b]0;owned\u0007", "\\x1b]0;owned\\x07"],
  ["a line's end, which would begin another line of a log", "a\nb\r\nc\u2028d", "a\\x0ab\\x0d\\x0ac\\u2028d"],
  ["C1, which terminals take for escape sequences", "\u009b31m\u0085", "\\x9b31m\\x85"],
  ["what turns the direction of writing", "\u202egnp.yaml\u2066\u200f", "\\u202egnp.yaml\\u2066\\u200f"],
  ["nothing of what is only unusual", "über/映画 ‼ 👩‍🚀.yaml", "über/映画 ‼ 👩‍🚀.yaml"],
])("%s is shown", (_, text, shown) => {
  expect(printable(text)).toBe(shown);
});

test("lines stay lines where several are meant", () => {
  expect(printableLines("a\u0007\nb\u001b")).toBe("a\\x07\nb\\x1b");
});

test("a terminal gets our colours and lines, and nothing else that it would obey", () => {
  expect(terminalText("\u001b[31mred\u001b[39m\r\u001b[K√\tok\n")).toBe("\u001b[31mred\u001b[39m\r\u001b[K√\tok\n");
  expect(terminalText("\u001b[2J\u001b]52;c;eA==\u0007\rhidden\u009b1A\u202e")).toBe(
    "\\x1b[2J\\x1b]52;c;eA==\\x07\\x0dhidden\\x9b1A\\u202e",
  );
});
