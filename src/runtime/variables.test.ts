import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { expandInCommand, expandVariables } from "./variables.ts";

describe("expandVariables", () => {
  test.each([
    { text: "${A}/x", expected: "1/x" },
    { text: "${B:-2}", expected: "2" },
    { text: "${A:-2}", expected: "1" },
    { text: "${B}", expected: "" },
    { text: "$(kumiko token create alice)", expected: "$(kumiko token create alice)" },
    { text: "$A", expected: "$A" },
  ])("$text is $expected", ({ text, expected }) => {
    expect(expandVariables(text, { A: "1" })).toBe(expected);
  });
});

describe("expandInCommand leaves each value one word of a real shell, whatever it holds", () => {
  const values = ["/my proj/ü k", "it's", 'a "b" $(id) `id` $HOME \\', "x; echo y", "*", "-n"];
  const commands = [
    ["${V}", (v: string) => [v]],
    ["a${V}/b c", (v: string) => [`a${v}/b`, "c"]],
    ['"${V} b" c', (v: string) => [`${v} b`, "c"]],
    ["'${V} b' c", (v: string) => [`${v} b`, "c"]],
    [String.raw`\" ${"${V}"} \"`, (v: string) => ['"', v, '"']],
    [`"x $(printf '%s' \${V} "\${V}") y" \${V}`, (v: string) => [`x ${v}${v} y`, v]],
  ] as const;

  test.each(values.flatMap((value) => commands.map(([command, words]) => ({ value, command, words: words(value) }))))(
    "$command of $value",
    ({ value, command, words }) => {
      const text = expandInCommand(command, { V: value });
      const out = execFileSync("sh", ["-c", `printf '%s\\0' ${text}`], { encoding: "utf8" });
      expect(out.split("\0").slice(0, -1)).toEqual(words);
    },
  );

  test("and what needs no quotes has none", () => {
    expect(expandInCommand('curl --cacert ${S}/root.pem -H "a: $(kumiko token create x)" ${NONE}${OR:-1}', { S: "/s" })).toBe(
      'curl --cacert /s/root.pem -H "a: $(kumiko token create x)" 1',
    );
  });
});
