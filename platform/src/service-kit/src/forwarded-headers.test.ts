import { describe, expect, test } from "vitest";
import { forwardedHeaders, traceIdOf } from "./forwarded-headers.ts";

const trace = "4bf92f3577b34da6a3ce929d0e0e4736";

test("the token and the trace headers are passed on, and nothing else", () => {
  const traceHeaders = { traceparent: `00-${trace}-00f067aa0ba902b7-01`, tracestate: "a=b", "x-b3-traceid": trace, b3: `${trace}-1` };
  const given = {
    ...traceHeaders,
    authorization: "Bearer x",
    "x-request-id": "r",
    cookie: "s=1",
    host: "h",
    "x-forwarded-client-cert": "By=…",
  };
  expect(forwardedHeaders(given)).toEqual({ ...traceHeaders, authorization: "Bearer x", "x-request-id": "r" });
});

describe("traceIdOf", () => {
  test.each([
    { title: "W3C", headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01` }, expected: trace },
    { title: "B3 in one header", headers: { b3: `${trace}-05e3ac9a4f6e3b90-1` }, expected: trace },
    { title: "B3 in several", headers: { "x-b3-traceid": "a3ce929d0e0e4736" }, expected: "a3ce929d0e0e4736" },
    { title: "no trace", headers: {}, expected: undefined },
    { title: "what would forge a log line", headers: { traceparent: '00-"}\n{"-x-01' }, expected: undefined },
  ])("reads $title", ({ headers, expected }) => {
    expect(traceIdOf(headers)).toBe(expected);
  });
});
