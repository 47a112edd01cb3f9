import { homedir } from "node:os";
import { expect, test } from "vitest";
import { cacheFolder } from "./cache.ts";

test.each([
  { env: { HOME: "/home/a", XDG_CACHE_HOME: "/var/c" }, expected: "/var/c/kumiko-platform" },
  { env: { HOME: "/home/a", XDG_CACHE_HOME: "relative" }, expected: "/home/a/.cache/kumiko-platform" },
  { env: { HOME: "/home/a", XDG_CACHE_HOME: "" }, expected: "/home/a/.cache/kumiko-platform" },
  { env: { HOME: "/home/a" }, expected: "/home/a/.cache/kumiko-platform" },
  { env: {}, expected: `${homedir()}/.cache/kumiko-platform` },
])("XDG_CACHE_HOME $env.XDG_CACHE_HOME and HOME $env.HOME: the cache is $expected", ({ env, expected }) => {
  expect(cacheFolder(env)).toBe(expected);
});
