import { describe, expect, test } from "vitest";
import { toJson, toJunit, toTap } from "./output.ts";
import { type CallResult, exitCodeOf, type TestRun } from "./result.ts";

const call = (over: Partial<CallResult>): CallResult => ({
  position: { file: "t.yaml", line: 7, column: 3 },
  test: "canary",
  name: "n",
  engine: "evaluator",
  verdict: "pass",
  reason: "",
  mismatches: [],
  happened: "",
  because: [],
  path: [],
  ...over,
});

const run: TestRun = {
  calls: [
    call({ name: "a <b> #1" }),
    call({
      name: "b",
      verdict: "fail",
      reason: 'status: expected "200", got 403',
      path: [{ proxy: "shop/a", what: "route", detail: "d", resource: "VirtualService/shop/v", at: "t.yaml:9" }],
    }),
    call({ name: "c", verdict: "skip", reason: "undecided at filter lua" }),
  ],
  errors: [{ file: "u.yaml", line: 2, column: 4, message: "unknown field x", help: "remove it" }],
  diagnostics: [],
  totals: { pass: 1, fail: 1, skip: 1, errors: 1 },
  coverage: { items: [], percent: 100 },
};

test("JSON has calls, errors and totals, and nothing else", () => {
  expect(JSON.parse(toJson(run))).toEqual({
    calls: [
      { file: "t.yaml", line: 7, test: "canary", name: "a <b> #1", engine: "evaluator", verdict: "pass", reason: "", path: [] },
      {
        file: "t.yaml",
        line: 7,
        test: "canary",
        name: "b",
        engine: "evaluator",
        verdict: "fail",
        reason: 'status: expected "200", got 403',
        path: [{ proxy: "shop/a", what: "route", detail: "d", resource: "VirtualService/shop/v", at: "t.yaml:9" }],
      },
      {
        file: "t.yaml",
        line: 7,
        test: "canary",
        name: "c",
        engine: "evaluator",
        verdict: "skip",
        reason: "undecided at filter lua",
        path: [],
      },
    ],
    errors: [{ file: "u.yaml", line: 2, column: 4, message: "unknown field x (remove it)" }],
    totals: { pass: 1, fail: 1, skip: 1, errors: 1 },
  });
});

test("JUnit has a suite for each test, with its counts", () => {
  expect(toJunit(run)).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="kumiko test" tests="4" failures="1" errors="1" skipped="1">
  <testsuite name="t.yaml canary" tests="3" failures="1" errors="0" skipped="1">
    <testcase classname="canary" name="a &lt;b&gt; #1" file="t.yaml" line="7"/>
    <testcase classname="canary" name="b" file="t.yaml" line="7"><failure message="status: expected &quot;200&quot;, got 403"/></testcase>
    <testcase classname="canary" name="c" file="t.yaml" line="7"><skipped message="undecided at filter lua"/></testcase>
  </testsuite>
  <testsuite name="u.yaml" tests="1" failures="0" errors="1" skipped="0">
    <testcase classname="u.yaml" name="u.yaml:2" file="u.yaml" line="2"><error message="unknown field x (remove it)"/></testcase>
  </testsuite>
</testsuites>
`);
});

test("TAP has a line for each call and error", () => {
  expect(toTap(run).split("\n")).toEqual([
    "TAP version 14",
    "1..4",
    "ok 1 - canary: a <b> \\#1",
    "not ok 2 - canary: b",
    "  ---",
    '  message: "status: expected \\"200\\", got 403"',
    '  at: "t.yaml:7"',
    "  ...",
    "ok 3 - canary: c # SKIP undecided at filter lua",
    "not ok 4 - u.yaml:2",
    "  ---",
    '  message: "unknown field x (remove it)"',
    "  ...",
    "",
  ]);
});

describe("the exit code", () => {
  test.each([
    { title: "all pass", totals: { pass: 1, fail: 0, skip: 0, errors: 0 }, code: 0 },
    { title: "one fails", totals: { pass: 1, fail: 1, skip: 1, errors: 0 }, code: 1 },
    { title: "a file can't be used", totals: { pass: 1, fail: 1, skip: 1, errors: 1 }, code: 2 },
    { title: "one is skipped and none fails", totals: { pass: 1, fail: 0, skip: 1, errors: 0 }, code: 3 },
  ])("is $code where $title", ({ totals, code }) => {
    expect(exitCodeOf({ totals })).toBe(code);
  });
});
