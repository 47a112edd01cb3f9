import { describe, expect, test } from "vitest";
import type { Outcome, ResponseOutcome } from "../evaluate/index.ts";
import type { Call, Expectation } from "./document.ts";
import { judge } from "./judge.ts";
import { WorkloadNames } from "./names.ts";
import { readUrl, type RequestUrl } from "./request-url.ts";

const names = new WorkloadNames(
  ["client", "v1", "v2", "egress"].map((name) => ({ namespace: "shop", name })),
  "shop",
);
const ref = (name: string) => ({ namespace: "shop", name });
const policy = { ref: { kind: "AuthorizationPolicy", namespace: "shop", name: "deny" }, path: ["spec", "rules", 0] };

function callOf(expected: Expectation, repeat = 1): Call {
  const position = { file: "t.yaml", line: 1, column: 1 };
  const url = readUrl("http://users/") as RequestUrl;
  const request = { url, method: "GET", headers: [], body: "", tokens: [], http2: false, repeat, concurrency: 1 };
  return { name: "c", position, from: { kind: "workload", workload: "client" }, request, expect: expected, locate: () => position };
}

const parts = { steps: [], because: [], via: [ref("client"), ref("v1")], delayMs: 0 };
const answer = (over: Partial<ResponseOutcome> = {}): ResponseOutcome => ({
  ...parts,
  kind: "response",
  status: 200,
  by: "application",
  to: ref("v1"),
  attempts: 1,
  received: {
    method: "GET",
    authority: "users",
    path: "/a",
    protocol: "http1",
    headers: [["x-a", "1"]],
    generatedHeaders: ["x-request-id"],
    principal: "spiffe://cluster.local/ns/shop/sa/client",
    tls: false,
  },
  headers: [["location", "https://users/"]],
  mirroredTo: [],
  ...over,
});
const closed: Outcome = { ...parts, kind: "closed", because: ["Profile/zero-trust"] };
const one = (outcome: Outcome) => ({ outcomes: [{ share: 1, outcome }] });

describe("an expectation that holds passes, and one that doesn't fails with the field", () => {
  test.each<{ readonly field: string; readonly outcome: Outcome; readonly right: Expectation; readonly wrong: Expectation }>([
    { field: "status", outcome: answer(), right: { status: 200 }, wrong: { status: 403 } },
    { field: "status", outcome: closed, right: { connection: "closed" }, wrong: { status: 200 } },
    { field: "connection", outcome: answer(), right: {}, wrong: { connection: "open" } },
    { field: "grpcStatus", outcome: answer({ grpcStatus: "OK" }), right: { grpcStatus: "OK" }, wrong: { grpcStatus: "UNAVAILABLE" } },
    { field: "to", outcome: answer(), right: { to: "v1" }, wrong: { to: "v2" } },
    { field: "to", outcome: answer(), right: { to: "shop/v1" }, wrong: { to: "external:v1" } },
    {
      field: "to",
      outcome: answer({ to: { external: "api.example.com" } }),
      right: { to: "external:api.example.com" },
      wrong: { to: "v1" },
    },
    { field: "to", outcome: answer({ by: "proxy", status: 503 }), right: { status: 503 }, wrong: { to: "v1" } },
    { field: "attempts", outcome: answer({ attempts: 3 }), right: { attempts: 3 }, wrong: { attempts: 1 } },
    { field: "body", outcome: answer({ body: "RBAC: access denied" }), right: { body: "denied" }, wrong: { body: "welcome" } },
    {
      field: "body",
      outcome: { ...parts, kind: "open", to: ref("v1"), tls: false },
      right: { body: "" },
      wrong: { body: "more than was sent" },
    },
    {
      field: "delayMs",
      outcome: answer({ delayMs: 1000 }),
      right: { delayMs: { min: 900, max: 1500 } },
      wrong: { delayMs: { min: 0, max: 10 } },
    },
    {
      field: "mirroredTo",
      outcome: answer({ mirroredTo: [{ target: ref("v2"), share: 1 }] }),
      right: { mirroredTo: "v2" },
      wrong: { mirroredTo: null },
    },
    { field: "via", outcome: answer(), right: { via: null }, wrong: { via: "egress" } },
    { field: "via", outcome: answer({ via: [ref("client"), ref("egress"), ref("v1")] }), right: { via: "egress" }, wrong: { via: null } },
    {
      field: "because",
      outcome: answer({ because: [policy] }),
      right: { because: "AuthorizationPolicy/shop/deny" },
      wrong: { because: "AuthorizationPolicy/shop/x" },
    },
    {
      field: "because",
      outcome: answer({ because: [{ ...policy, ref: { ...policy.ref, name: "deny~2" } }] }),
      right: { because: "AuthorizationPolicy/shop/deny" },
      wrong: { because: "AuthorizationPolicy/shop/deny~2" },
    },
    { field: "because", outcome: closed, right: { because: "Profile/zero-trust" }, wrong: { because: "PeerAuthentication/shop/default" } },
    { field: "received.path", outcome: answer(), right: { received: { path: "/a" } }, wrong: { received: { path: "/b" } } },
    { field: "received.tls", outcome: answer(), right: { received: { tls: false } }, wrong: { received: { tls: true } } },
    {
      field: "received.principal",
      outcome: answer(),
      right: { received: { principal: "spiffe://cluster.local/ns/shop/sa/client" } },
      wrong: { received: { principal: "" } },
    },
    {
      field: "received.headers.x-a",
      outcome: answer(),
      right: { received: { headers: [["x-a", { is: "lines", lines: ["1"] }]] } },
      wrong: { received: { headers: [["x-a", { is: "absent" }]] } },
    },
    {
      field: "received.headers.x-request-id",
      outcome: answer(),
      right: { received: { headers: [["x-request-id", { is: "present" }]] } },
      wrong: { received: { headers: [["x-request-id", { is: "absent" }]] } },
    },
    {
      field: "headers.location",
      outcome: answer(),
      right: { headers: [["location", { is: "regex", regex: "https://.*" }]] },
      wrong: { headers: [["location", { is: "prefix", prefix: "http://" }]] },
    },
  ])("$field", ({ field, outcome, right, wrong }) => {
    expect(judge(callOf(right), one(outcome), names)).toEqual({ verdict: "pass" });
    expect(judge(callOf(wrong), one(outcome), names)).toMatchObject({ verdict: "fail", mismatches: [{ field }] });
  });
});

describe("a decision with several outcomes", () => {
  const split = {
    outcomes: [
      { share: 0.8, outcome: answer() },
      { share: 0.2, outcome: answer({ to: ref("v2") }) },
    ],
  };
  const to = (v1: readonly [number, number], v2: readonly [number, number]): Expectation => ({
    to: [
      ["v1", { min: v1[0], max: v1[1] }],
      ["v2", { min: v2[0], max: v2[1] }],
    ],
  });

  test.each<{ readonly title: string; readonly expect: Expectation; readonly verdict: string }>([
    { title: "passes where each share lies in its range", expect: to([70, 90], [10, 30]), verdict: "pass" },
    { title: "takes a range's ends", expect: to([80, 80], [20, 20]), verdict: "pass" },
    { title: "fails where a share lies outside", expect: to([85, 95], [5, 30]), verdict: "fail" },
    { title: "fails where somebody answers who is not named", expect: { to: [["v1", { min: 0, max: 100 }]] }, verdict: "fail" },
    { title: "fails where one workload is named and two answer", expect: { to: "v1" }, verdict: "fail" },
    { title: "fails where one workload should have answered all", expect: { sameWorkload: true }, verdict: "fail" },
    { title: "passes where several should have", expect: { sameWorkload: false }, verdict: "pass" },
  ])("$title", ({ expect: expected, verdict }) => {
    expect(judge(callOf(expected, 100), split, names).verdict).toBe(verdict);
  });

  test("says how often what was not expected happens", () => {
    expect(judge(callOf({ to: "v1" }), split, names)).toMatchObject({ mismatches: [{ happened: "shop/v2 in 20 % of all cases" }] });
  });
});

describe("requests that a hash sends to one endpoint", () => {
  const steps = [{ what: "hash", proxy: "shop/client", origins: [], detail: "" }];
  const hashed = {
    outcomes: [
      { share: 0.5, outcome: answer({ steps }) },
      { share: 0.5, outcome: answer({ steps, to: ref("v2") }) },
    ],
  };
  const range = (min: number, max: number): Expectation => ({
    to: [
      ["v1", { min, max }],
      ["v2", { min, max }],
    ],
  });

  test.each([
    { title: "reach one workload, whichever", expect: { sameWorkload: true }, verdict: "pass" },
    { title: "are not shared out", expect: range(4, 6), verdict: "fail" },
    { title: "are all or none at each", expect: range(0, 10), verdict: "pass" },
  ])("$title", ({ expect: expected, verdict }) => {
    expect(judge(callOf(expected, 10), hashed, names).verdict).toBe(verdict);
  });
});

describe("of a header that is there with a value which a proxy makes up", () => {
  const cookie = answer({ headers: [], generatedHeaders: ["set-cookie"] });
  const value = (is: "prefix" | "regex" | "present" | "absent" | "lines"): NonNullable<Expectation["headers"]> => [
    ["set-cookie", { is, prefix: "sid=", regex: "sid=.*", lines: ["sid=1"] } as const],
  ];

  test.each([
    { title: "a prefix can't be told", expect: { headers: value("prefix") }, outcome: cookie, verdict: "skip" },
    { title: "a pattern can't be told", expect: { headers: value("regex") }, outcome: cookie, verdict: "skip" },
    { title: "presence can", expect: { headers: value("present") }, outcome: cookie, verdict: "pass" },
    { title: "absence can", expect: { headers: value("absent") }, outcome: cookie, verdict: "fail" },
    { title: "a whole value is not foretold", expect: { headers: value("lines") }, outcome: cookie, verdict: "fail" },
    { title: "whatever else is wrong fails", expect: { status: 403, headers: value("regex") }, outcome: cookie, verdict: "fail" },
    {
      title: "a line of the application's is known",
      expect: { headers: value("regex") },
      outcome: answer({ headers: [["set-cookie", "sid=2"]], generatedHeaders: ["set-cookie"] }),
      verdict: "pass",
    },
    {
      title: "what an application got can't be told, either",
      expect: { received: { headers: [["x-request-id", { is: "prefix", prefix: "a" }]] } },
      outcome: answer(),
      verdict: "skip",
    },
  ] as const)("$title", ({ expect: expected, outcome, verdict }) => {
    expect(judge(callOf(expected), one(outcome), names).verdict).toBe(verdict);
  });

  test("the reason says which", () => {
    const reason = "undecided at the value of headers.set-cookie, which a proxy makes up";
    expect(judge(callOf({ headers: value("regex") }), one(cookie), names)).toEqual({ verdict: "skip", reason });
  });
});

test("what can't be decided is skipped with the filter's name, whatever was expected", () => {
  const outcome: Outcome = { ...parts, kind: "undecided", at: "filter wasm" };
  expect(judge(callOf({ status: 200 }), one(outcome), names)).toEqual({ verdict: "skip", reason: "undecided at filter wasm" });
});

test("no outcome at all is our bug, and never a pass", () => {
  expect(() => judge(callOf({ status: 200 }), { outcomes: [] }, names)).toThrow("without an outcome");
});
