import { expect, test } from "vitest";
import { asTyped } from "./as-typed.ts";

test.each([
  ["kumiko status, or kumiko down", "./kumiko status, or ./kumiko down"],
  ['-H "authorization: Bearer $(kumiko token create alice)"', '-H "authorization: Bearer $(./kumiko token create alice)"'],
  ["run it: kumiko test", "run it: ./kumiko test"],
  ["kumiko --help", "./kumiko --help"],
  ["edit kumiko.yaml of /home/kumiko now; .kumiko is yours", "edit kumiko.yaml of /home/kumiko now; .kumiko is yours"],
])("%s", (text, expected) => {
  expect(asTyped(text, "./kumiko")).toBe(expected);
});

test("a program's name is taken as it is", () => {
  expect(asTyped("kumiko up", "'/my $& dir/kumiko'")).toBe("'/my $& dir/kumiko' up");
});
