import { describe, expect, test } from "vitest";
import { meshView, onlyOutcome, requestOf, shortly } from "../testing/mesh-view.ts";
import { ownCertificate } from "../testing/own-secrets.ts";
import { jwksOf, testKey, tokenOf } from "../testing/tokens.ts";
import { evaluate, type Request } from "./index.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const NOW_S = 1_800_000_000;
const [KEY, OTHER] = [testKey(), testKey()];
const JWKS = jwksOf(KEY);
const token = (claims: Readonly<Record<string, unknown>> = {}, key = KEY, alg = "ES256") =>
  tokenOf({ iss: "https://idp.test", sub: "alice", aud: ["platform"], exp: NOW_S + 3600, ...claims }, key, alg);

const MESH = `
apiVersion: v1
kind: Pod
metadata: { name: ingress, namespace: istio-system, labels: { istio: ingressgateway } }
spec: { serviceAccountName: ingress, containers: [{ name: app }] }
status: { podIP: 10.244.0.12, conditions: [{ type: Ready, status: "True" }] }
---
apiVersion: v1
kind: Pod
metadata: { name: users-v1, namespace: shop, labels: { app: users }, annotations: { sidecar.istio.io/status: "{}" } }
spec: { serviceAccountName: users, containers: [{ name: app }] }
status: { podIP: 10.244.0.7, conditions: [{ type: Ready, status: "True" }] }
---
apiVersion: v1
kind: Service
metadata: { name: users, namespace: shop }
spec: { clusterIP: 10.96.0.7, selector: { app: users }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: public, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
    - { port: { number: 8080, name: http, protocol: HTTP }, hosts: [user.test] }
    - { port: { number: 8081, name: moved, protocol: HTTP }, hosts: [user.test], tls: { httpsRedirect: true } }
    - { port: { number: 8443, name: https, protocol: HTTPS }, hosts: [user.test], tls: { mode: MUTUAL, credentialName: cred } }
    - { port: { number: 8445, name: own, protocol: HTTPS }, hosts: [user.test], tls: { mode: SIMPLE, credentialName: own } }
    - { port: { number: 8446, name: any, protocol: HTTPS }, hosts: ["*"], tls: { mode: SIMPLE, credentialName: own } }
    - { port: { number: 8444, name: lost, protocol: HTTPS }, hosts: [user.test], tls: { mode: SIMPLE, credentialName: lost } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: api, namespace: shop }
spec:
  hosts: [user.test]
  gateways: [istio-system/public]
  http: [{ match: [{ uri: { prefix: /api } }], route: [{ destination: { host: users } }] }]
---
apiVersion: v1
kind: Secret
metadata: { name: own, namespace: istio-system }
type: kubernetes.io/tls
data: { tls.crt: ${base64(ownCertificate().certificate)}, tls.key: ${base64(ownCertificate().key)} }
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: idp, namespace: istio-system }
spec:
  selector: { matchLabels: { istio: ingressgateway } }
  jwtRules: [{ issuer: "https://idp.test", audiences: [platform], jwks: '${JWKS}', outputClaimToHeaders: [{ header: x-sub, claim: sub }] }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: token-required, namespace: istio-system }
spec:
  selector: { matchLabels: { istio: ingressgateway } }
  action: DENY
  rules: [{ from: [{ source: { notRequestPrincipals: ["*"] } }] }]
`;

const view = meshView(MESH, { settings: { profile: "istio" } });
const bearer = (text: string): Request["headers"] => [["Authorization", `Bearer ${text}`]];
const from = { kind: "gateway", workload: { namespace: "istio-system", name: "ingress" } } as const;
const at = (given: Partial<Request>, port = 8080) =>
  requestOf({
    from,
    destination: { address: "10.244.0.12", port },
    authority: "user.test",
    path: "/api",
    sourceAddress: "203.0.113.1",
    ...given,
  });

describe("a request to a gateway", () => {
  const alice = token();
  const parts = alice.split(".");
  test.each<{ title: string; given: Partial<Request>; expected: readonly string[] }>([
    { title: "passes with a good token", given: { headers: bearer(alice) }, expected: ["200 users-v1"] },
    { title: "needs a token", given: {}, expected: ["403 proxy"] },
    { title: "with a token of another key is refused", given: { headers: bearer(token({}, OTHER)) }, expected: ["401 proxy"] },
    { title: "with an expired token is refused", given: { headers: bearer(token({ exp: NOW_S - 61 })) }, expected: ["401 proxy"] },
    {
      title: "with a token that has just expired passes, clocks differ",
      given: { headers: bearer(token({ exp: NOW_S - 60 })) },
      expected: ["200 users-v1"],
    },
    { title: "with a token of tomorrow is refused", given: { headers: bearer(token({ nbf: NOW_S + 61 })) }, expected: ["401 proxy"] },
    { title: "with a token for somebody else is refused", given: { headers: bearer(token({ aud: "other" })) }, expected: ["403 proxy"] },
    {
      title: "with a token of another issuer is refused",
      given: { headers: bearer(token({ iss: "https://else.test" })) },
      expected: ["401 proxy"],
    },
    {
      title: "with a token without a signature is refused",
      given: { headers: bearer(`${parts[0]}.${parts[1]}.`) },
      expected: ["401 proxy"],
    },
    { title: "with alg none is refused", given: { headers: bearer(token({}, KEY, "none")) }, expected: ["401 proxy"] },
    {
      title: "with a good and a bad token is refused",
      given: { headers: [...bearer(alice), ...bearer("x.y.z")] },
      expected: ["401 proxy"],
    },
    {
      title: "with a word in lower case has no token",
      given: { headers: [["authorization", `bearer ${alice}`]] },
      expected: ["403 proxy"],
    },
    { title: "with the token in the query passes", given: { path: `/api?access_token=${alice}` }, expected: ["200 users-v1"] },
    { title: "to an unknown host finds no route", given: { headers: bearer(alice), authority: "other.test" }, expected: ["404 proxy"] },
    { title: "to an unknown path finds no route", given: { headers: bearer(alice), path: "/" }, expected: ["404 proxy"] },
  ])("$title", ({ given, expected }) => {
    expect(shortly(evaluate(at(given), view))).toEqual(expected);
  });

  test("arrives without its token and with the claim, as the gateway's own call", () => {
    const { received } = onlyOutcome(evaluate(at({ headers: [...bearer(alice), ["x-sub", "forged"]] }), view)) as {
      received?: { headers: unknown; principal?: string };
    };
    expect(received?.principal).toBe("spiffe://cluster.local/ns/istio-system/sa/ingress");
    expect(received?.headers).toContainEqual(["x-sub", "alice"]);
    expect(JSON.stringify(received?.headers)).not.toContain("authorization");
  });

  test("to a host that nobody serves is answered by the Gateway", () => {
    expect(onlyOutcome(evaluate(at({ headers: bearer(alice), authority: "other.test" }), view)).because).toMatchObject([
      { ref: { kind: "Gateway", name: "public" } },
    ]);
  });

  test("names the RequestAuthentication that refused its token", () => {
    expect(onlyOutcome(evaluate(at({ headers: bearer(token({}, OTHER)) }), view)).because).toMatchObject([
      { ref: { kind: "RequestAuthentication", name: "idp" } },
    ]);
  });

  test("in plaintext is sent to https where the server says so", () => {
    const outcome = onlyOutcome(evaluate(at({ path: "/api?x=1", headers: bearer(alice) }, 8081), view));
    expect(outcome).toMatchObject({ kind: "response", status: 301, headers: [["location", "https://user.test/api?x=1"]] });
  });

  test.each([
    { title: "in TLS by the name of a server", port: 8445, tls: { sni: "user.test", alpn: ["h2"] }, status: 200 },
    { title: "in TLS by another name", port: 8445, tls: { sni: "else.test", alpn: ["h2"] }, status: undefined },
    { title: "in plaintext where TLS is spoken for a name", port: 8445, tls: undefined, status: undefined },
    { title: "in plaintext where TLS is spoken", port: 8446, tls: undefined, status: undefined },
  ])("$title", ({ port, tls, status }) => {
    const outcome = onlyOutcome(evaluate(at({ headers: bearer(alice), ...(tls !== undefined && { tls }) }, port), view));
    expect(outcome.kind === "response" ? outcome.status : undefined).toBe(status);
  });

  test("to a server whose Secret is missing is not taken", () => {
    const tls = { sni: "user.test", alpn: ["h2"] };
    expect(["refused", "closed"]).toContain(onlyOutcome(evaluate(at({ tls }, 8444), view)).kind);
  });
});
