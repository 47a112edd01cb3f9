import { expect, test } from "vitest";
import { findUrl } from "./find-nats-server.ts";

test.each([
  {
    title: "JSON",
    listing: '{"files":[{"filename":"b.whl","url":"../x/b.whl"},{"filename":"a.whl","url":"../x/a.whl"}]}',
    expected: "../x/a.whl",
  },
  { title: "JSON without it", listing: '{"files":[]}', expected: undefined },
  { title: "HTML", listing: '<a href="../x/b.whl#sha256=1">b</a><a href="../x/a.whl#sha256=2">a</a>', expected: "../x/a.whl" },
  { title: "HTML without it", listing: '<a href="../x/aa.whl">a</a>', expected: undefined },
])("a page as $title names $expected", ({ listing, expected }) => {
  expect(findUrl(listing, "a.whl")).toBe(expected);
});
