import { describe, expect, test } from "vitest";
import { readCaller } from "./caller.ts";
import { Problem } from "./problem.ts";

const token = (claims: unknown) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`;

describe("readCaller", () => {
  test.each([
    { title: "the claims of the token", given: { sub: "alice", role: "admin", extra: 1 }, expected: { sub: "alice", role: "admin" } },
    { title: "role user where the token has none", given: { sub: "alice" }, expected: { sub: "alice", role: "user" } },
  ])("reads $title", ({ given, expected }) => {
    expect(readCaller({ authorization: `Bearer ${token(given)}` })).toEqual(expected);
  });

  test.each([
    { title: "no header", authorization: undefined },
    { title: "another scheme", authorization: "Basic YTpi" },
    { title: "two tokens", authorization: `Bearer ${token({ sub: "a" })} ${token({ sub: "b" })}` },
    { title: "no JWT", authorization: "Bearer abc" },
    { title: "a payload that is not JSON", authorization: "Bearer a.b.c" },
    { title: "no subject", authorization: `Bearer ${token({ role: "admin" })}` },
    { title: "a role that we don't know", authorization: `Bearer ${token({ sub: "a", role: "root" })}` },
  ])("refuses $title with 401", ({ authorization }) => {
    expect(() => readCaller({ authorization })).toThrow(Problem);
    expect(() => readCaller({ authorization })).toThrow(expect.objectContaining({ status: 401 }));
  });
});
