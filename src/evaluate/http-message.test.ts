import { expect, test } from "vitest";
import { type HttpMessage, withGenerated, withHeader, withoutHeaders } from "./http-message.ts";

const plain: HttpMessage = {
  version: "http1",
  method: "GET",
  scheme: "http",
  authority: "a",
  path: "/",
  headers: [["x-a", "1"]],
  generated: [],
};

test("a header that is taken away, or written anew, is no made-up one any more", () => {
  const made = withGenerated(withGenerated(plain, "x-b"), "x-a");
  expect(made).toMatchObject({
    headers: [
      ["x-b", ""],
      ["x-a", ""],
    ],
    generated: ["x-b", "x-a"],
  });
  expect(withGenerated(made, "x-b").generated).toEqual(["x-a", "x-b"]);
  expect(withoutHeaders(made, ["x-a"])).toMatchObject({ headers: [["x-b", ""]], generated: ["x-b"] });
  expect(withHeader(made, "x-b", "2")).toMatchObject({
    headers: [
      ["x-a", ""],
      ["x-b", "2"],
    ],
    generated: ["x-a"],
  });
  expect(withoutHeaders(made, ["x-c"])).toBe(made);
});
