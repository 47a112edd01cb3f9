import { describe, expect, test } from "vitest";
import { mergeSlashes, normalizePath, unescapeSlashes } from "./path.ts";

/** What Envoy 1.40 makes of each at one proxy. */
describe("a path is normalised as Envoy does it", () => {
  test.each([
    ["/a/./b", "/a/b"],
    ["/a/../b", "/b"],
    ["/../a", "/a"],
    ["/a/..", "/"],
    ["/a/%2e%2E/b", "/b"],
    ["/a\\..\\b", "/b"],
    ["/a/..;/b", "/b"],
    ["/a/..;v=1/b", "/b"],
    ["/a/.;x", "/a/"],
    ["/a/..;%2fb", "/"],
    ["/a/..;\\b", "/"],
    ["/a/%2e%2e;/b", "/a/..;/b"],
    ["/a/.%2e;/b", "/a/..;/b"],
    ["/a/;../b", "/a/;../b"],
    ["/a;x/../b", "/b"],
    ["/a/...;/b", "/a/...;/b"],
    ["/x\\..;y/b", "/x/..;y/b"],
    ["/%7e%41", "/~A"],
    ["/a%2fb", "/a%2fb"],
    ["/a%", "/a%"],
    ["/%%41", "/%A"],
    ["/%4%31", "/%2541"],
    ["/%5%43", "/%255C"],
    ["/%%32F", "/%252F"],
    ["/a%%3252e", "/a%25252e"],
    ["/%25%32e", "/%252e"],
    ["/a|b", "/a%7Cb"],
    ["/aéb/%41", "/a%C3%A9b/A"],
    ["/😀/c", "/%F0%9F%98%80/c"],
    ["/a?é", "/a?é"],
    ["/a?/../b", "/a?/../b"],
    ["/a%00", undefined],
  ])("%s", (raw, normal) => {
    expect(normalizePath(raw)).toBe(normal);
  });

  test("slashes are merged before the query, and unescaped", () => {
    expect([mergeSlashes("/a//b///?c//d"), mergeSlashes("///"), unescapeSlashes("/a%2Fb%5cc?d%2f")]).toEqual([
      "/a/b/?c//d",
      "//",
      "/a/b\\c?d%2f",
    ]);
  });
});
