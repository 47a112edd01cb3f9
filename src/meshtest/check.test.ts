import { describe, expect, test } from "vitest";
import { readText } from "../source/index.ts";
import { checkTest } from "./check.ts";

const HEAD = "apiVersion: kumiko.dev/v1alpha1\nkind: MeshTest\nmetadata: {name: t, namespace: shop}\nspec:\n";
const CALL = '- {name: a, from: {workload: a}, request: {url: "http://b/"}, expect: {status: 200}}';

function check(text: string) {
  const [document] = readText(text, "t.yaml").documents;
  return checkTest(document!);
}

function errorsOf(text: string): readonly string[] {
  const checked = check(text);
  return checked.ok
    ? []
    : checked.errors.map(({ line, column, message, help }) => `${line}:${column} ${message}${help === undefined ? "" : ` (${help})`}`);
}

/** The only call, on line 6, with one part replaced. */
function withCall(parts: { readonly from?: string; readonly request?: string; readonly expect?: string }): string {
  const { from = "{workload: a}", request = '{url: "http://b/"}', expect: expected = "{status: 200}" } = parts;
  return `${HEAD}  calls:\n  - from: ${from}\n    request: ${request}\n    expect: ${expected}\n`;
}

describe("a wrong document says where", () => {
  test.each([
    {
      title: "an unknown field at the top",
      text: `${HEAD}  call:\n  ${CALL}\n`,
      error: "5:3 unknown field spec.call (did you mean calls?)",
    },
    { title: "an unknown field of the document", text: `${HEAD}  calls:\n  ${CALL}\nstatus: {}\n`, error: "7:1 unknown field status" },
    {
      title: "an unknown field of metadata",
      text: HEAD.replace("name: t", "nam: t") + `  calls:\n  ${CALL}\n`,
      error: "3:12 unknown field metadata.nam",
    },
    {
      title: "another apiVersion",
      text: HEAD.replace("v1alpha1", "v1") + `  calls:\n  ${CALL}\n`,
      error: "1:1 apiVersion must be kumiko.dev/v1alpha1",
    },
    { title: "no calls", text: `${HEAD}  calls: []\n`, error: "5:3 spec.calls" },
    {
      title: "a call without expect",
      text: `${HEAD}  calls:\n  - {from: {workload: a}, request: {url: "http://b/"}}\n`,
      error: "6:5 spec.calls[0].expect is missing",
    },
    { title: "an expect that says nothing", text: withCall({ expect: "{}" }), error: "8:5 expect says nothing" },
    {
      title: "an unknown field of expect",
      text: withCall({ expect: "{statu: 200}" }),
      error: "8:14 unknown field spec.calls[0].expect.statu (did you mean status?)",
    },
    { title: "a status that is none", text: withCall({ expect: "{status: 20}" }), error: "8:14 spec.calls[0].expect.status is 20" },
    {
      title: "a gRPC status that is none",
      text: withCall({ expect: "{grpcStatus: FINE}" }),
      error: '8:14 spec.calls[0].expect.grpcStatus can\'t be "FINE"',
    },
    { title: "a range that is none", text: withCall({ expect: '{to: {b: "7-9"}}' }), error: '8:19 to.b is no range (write "70..90")' },
    { title: "a range from its end", text: withCall({ expect: '{delayMs: "9..7"}' }), error: "8:14 delayMs ends before it begins" },
    {
      title: "a header value without quotes",
      text: withCall({ request: '{url: "http://b/", headers: {x-a: 1}}' }),
      error: "7:43 header x-a must be a text",
    },
    {
      title: "a header matcher of two kinds",
      text: withCall({ expect: "{headers: {x: {prefix: a, present: true}}}" }),
      error: "8:24 headers.x must have one of",
    },
    {
      title: "a header regex that is none",
      text: withCall({ expect: '{headers: {x: {regex: "("}}}' }),
      error: "8:28 regex is no RE2 expression",
    },
    {
      title: "two kinds of callers",
      text: withCall({ from: "{workload: a, gateway: b}" }),
      error: "6:25 from.gateway can't stand beside workload",
    },
    { title: "no caller", text: withCall({ from: "{}" }), error: "6:5 from must say who calls" },
    {
      title: "a client's address for a workload",
      text: withCall({ from: "{workload: a, clientIp: 10.0.0.1}" }),
      error: "6:25 clientIp needs a caller outside",
    },
    {
      title: "an address that is none",
      text: withCall({ from: "{gateway: a, clientIp: 10.0.0.0/8}" }),
      error: '6:24 "10.0.0.0/8" is no IP address',
    },
    {
      title: "a certificate that is none",
      text: withCall({ from: "{gateway: a, clientCert: invalid}" }),
      error: '6:24 "invalid" is no certificate',
    },
    { title: "a URL that is none", text: withCall({ request: "{url: b}" }), error: "7:15 request.url can't be used" },
    {
      title: "a scheme that is none",
      text: withCall({ request: '{url: "ftp://b"}' }),
      error: "7:15 request.url can't be used: its scheme",
    },
    {
      title: "a token without an issuer",
      text: withCall({ request: '{url: "http://b", token: {subject: a}}' }),
      error: "7:32 issuer is missing",
    },
    {
      title: "an unknown field of a token",
      text: withCall({ request: '{url: "http://b", token: {issuer: a, expires: 1h}}' }),
      error: "7:51 unknown field expires",
    },
    {
      title: "a duration that is none",
      text: withCall({ request: '{url: "http://b", token: {issuer: a, expiresIn: -5}}' }),
      error: "7:51 expiresIn must be a text",
    },
    { title: "an expected code that is none", text: `${HEAD}  calls:\n  ${CALL}\n  expectDiagnostics: [{code: X}]\n`, error: "7:24" },
    {
      title: "an expected diagnostic that is any of anything",
      text: `${HEAD}  calls:\n  ${CALL}\n  expectDiagnostics: [{}]\n`,
      error: "7:23 it names no diagnostic (set code, resource or both)",
    },
    {
      title: "resources without a path",
      text: `${HEAD}  resources: [{namespace: foo}]\n  calls:\n  ${CALL}\n`,
      error: "5:15 path is missing",
    },
    {
      title: "resources with an unknown field",
      text: `${HEAD}  resources: [{path: a.yaml, namespac: foo}]\n  calls:\n  ${CALL}\n`,
      error: "5:30 unknown field namespac (did you mean namespace?)",
    },
    {
      title: "resources in what is no namespace",
      text: `${HEAD}  resources: [{path: a.yaml, namespace: Foo}]\n  calls:\n  ${CALL}\n`,
      error: "5:30 it is no namespace",
    },
    {
      title: "two bodies",
      text: withCall({ request: '{url: "http://b", body: a, bodyBytes: 1}' }),
      error: "7:41 bodyBytes can't stand beside body",
    },
    {
      title: "a body larger than any",
      text: withCall({ request: '{url: "http://b", bodyBytes: 5000000}' }),
      error: "7:32 spec.calls[0].request.bodyBytes",
    },
    { title: "a profile that is none", text: `${HEAD}  profile: zero\n  calls:\n  ${CALL}\n`, error: "5:3 spec.profile can't be" },
  ])("$title", ({ text, error }) => {
    expect(errorsOf(text).join("\n")).toContain(error);
  });
});

test("what is right is read with its defaults", () => {
  const checked = check(
    withCall({
      from: "{gateway: in, clientIp: 10.1.2.3, clientCert: valid}",
      request:
        '{url: "https://API.example.com:8443/a/../b?q=1", headers: {X-A: [one, two], host: other}, token: {issuer: i, expiresIn: -300s, header: cookie, prefix: "sid="}}',
      expect: '{to: {a: "70..90", b: 10}, headers: {x: null, Y: {prefix: p}}, via: null}',
    }),
  );
  expect(checked).toMatchObject({
    ok: true,
    test: {
      name: "t",
      namespace: "shop",
      profile: "istio",
      calls: [
        {
          name: "GET https://API.example.com:8443/a/../b?q=1",
          position: { line: 6, column: 5 },
          from: { kind: "gateway", workload: "in", clientIp: "10.1.2.3", clientCert: "valid" },
          request: {
            url: { scheme: "https", host: "API.example.com", port: 8443, authority: "API.example.com:8443", path: "/b?q=1" },
            headers: [
              ["x-a", "one"],
              ["x-a", "two"],
            ],
            authority: "other",
            repeat: 1,
            tokens: [{ expiresInMs: -300_000, notBeforeMs: 0, signedBy: "issuer", place: { header: "cookie", prefix: "sid=" } }],
          },
          expect: {
            to: [
              ["a", { min: 70, max: 90 }],
              ["b", { min: 10, max: 10 }],
            ],
            headers: [
              ["x", { is: "absent" }],
              ["y", { is: "prefix", prefix: "p" }],
            ],
            via: null,
          },
        },
      ],
    },
  });
});

test("null is absent where it doesn't mean none", () => {
  const checked = check(withCall({ request: '{url: "http://b", repeat: null, token: null}', expect: "{status: 200, body: null}" }));
  expect(checked).toMatchObject({ ok: true, test: { calls: [{ request: { repeat: 1, tokens: [] }, expect: { status: 200 } }] } });
});

test("a body of so many bytes is made", () => {
  const bodyOf = (bytes: number) => {
    const checked = check(withCall({ request: `{url: "http://b", bodyBytes: ${bytes}}` }));
    return checked.ok ? checked.test.calls[0]?.request.body : undefined;
  };
  expect([bodyOf(0), bodyOf(18), bodyOf(1_300_000)?.length]).toEqual(["", "0123456789abcdef01", 1_300_000]);
});
