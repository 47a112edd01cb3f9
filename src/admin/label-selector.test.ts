import { describe, expect, test } from "vitest";
import { parseLabelSelector } from "./label-selector.ts";

const labels = { app: "users", tier: "web", release: "" };

describe("parseLabelSelector", () => {
  test.each([
    ["", true],
    ["app=users", true],
    ["app==users", true],
    ["app=other", false],
    ["app!=other", true],
    ["none!=x", true],
    ["app", true],
    ["!app", false],
    ["!none", true],
    ["release=", true],
    ["app=users,tier!=db", true],
    ["app=users,tier=db", false],
    ["app in (users, cart)", true],
    ["app in (cart)", false],
    ["app notin (cart),tier", true],
    ["none in (x)", false],
    ["constructor", false],
  ])("%s selects %s", (text, expected) => {
    expect(parseLabelSelector(text)?.(labels)).toBe(expected);
  });

  test.each(["((", "app in users", "app=a=b", "=x", "a b", `${"a,".repeat(3000)}a`])("%s is no selector", (text) => {
    expect(parseLabelSelector(text)).toBeUndefined();
  });
});
