import type { Case } from "./agreement.ts";
import { jwksOf, testKey, tokenOf } from "./tokens.ts";

const [KEY, OTHER] = [testKey(), testKey()];
const NOW_S = Math.floor(Date.now() / 1000);
const token = (claims: Readonly<Record<string, unknown>> = {}, key = KEY, alg = "ES256") =>
  tokenOf({ iss: "https://idp.test", sub: "alice", aud: ["https://platform/"], exp: NOW_S + 3600, ...claims }, key, alg);

/** Two issuers with tokens in different places, and policies that ask for claims. */
export const TOKENS = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: users, namespace: test }
spec: { hosts: [a.test], gateways: [public], http: [{ route: [{ destination: { host: users.test.svc.cluster.local, subset: v1 } }] }] }
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: idp, namespace: test }
spec:
  selector: { matchLabels: { istio: ingressgateway } }
  jwtRules:
    - issuer: https://idp.test
      audiences: [platform]
      jwks: '${jwksOf(KEY)}'
      outputClaimToHeaders: [{ header: x-sub, claim: sub }, { header: x-deep, claim: deep.er }, { header: x-list, claim: list }]
      outputPayloadToHeader: x-payload
    - issuer: https://cookie.test
      jwks: '${jwksOf(OTHER)}'
      fromCookies: [sid]
      fromHeaders: [{ name: x-token, prefix: "Token " }, { name: x-bare, prefix: "Token " }]
      fromParams: [t]
      forwardOriginalToken: true
    - issuer: https://bare.test
      jwks: '${jwksOf(OTHER)}'
      fromHeaders: [{ name: x-bare }, { name: a-bare }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: claims, namespace: test }
spec:
  selector: { matchLabels: { istio: ingressgateway } }
  action: DENY
  rules:
    - to: [{ operation: { paths: [/mine] } }]
      from: [{ source: { notRequestPrincipals: ["https://idp.test/alice"] } }]
    - to: [{ operation: { paths: [/group] } }]
      when: [{ key: "request.auth.claims[groups]", notValues: [admins] }]
    - to: [{ operation: { paths: [/scope] } }]
      when: [{ key: "request.auth.claims[scope]", notValues: [write] }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: allow, namespace: test }
spec: { rules: [{}] }
`;

const good = token();
const other = token({ iss: "https://cookie.test", aud: undefined }, OTHER);
const bare = token({ iss: "https://bare.test", aud: undefined }, OTHER);
const [head = "", payload = ""] = good.split(".");
const forged = `${head}.${Buffer.from(JSON.stringify({ iss: "https://idp.test", sub: "root" })).toString("base64url")}.${good.split(".")[2]}`;

const sent = (name: string, ...values: readonly string[]) => values.map((value) => [name, value] as const);
const CASES: readonly (readonly [title: string, given: Partial<Case>])[] = [
  ["none", {}],
  ["good", { headers: sent("authorization", `Bearer ${good}`) }],
  ["for a path of its own", { path: "/mine", headers: sent("authorization", `Bearer ${good}`) }],
  ["none for a path of its own", { path: "/mine" }],
  ["of somebody else", { path: "/mine", headers: sent("authorization", `Bearer ${token({ sub: "bob" })}`) }],
  ["of a group", { path: "/group", headers: sent("authorization", `Bearer ${token({ groups: ["users", "admins"] })}`) }],
  ["of one group as text", { path: "/group", headers: sent("authorization", `Bearer ${token({ groups: "admins" })}`) }],
  ["of no such group", { path: "/group", headers: sent("authorization", `Bearer ${token({ groups: ["users"] })}`) }],
  ["with scopes", { path: "/scope", headers: sent("authorization", `Bearer ${token({ scope: "read write" })}`) }],
  ["with another scope", { path: "/scope", headers: sent("authorization", `Bearer ${token({ scope: "read writer" })}`) }],
  ["with deep claims", { headers: sent("authorization", `Bearer ${token({ deep: { er: 7 }, list: ["a", 1] })}`) }],
  [
    "over forged claim headers",
    { headers: [...sent("authorization", `Bearer ${good}`), ...sent("x-sub", "root"), ...sent("x-payload", "e30")] },
  ],
  ["none, but forged claim headers", { headers: sent("x-sub", "root") }],
  ["lower-case word", { headers: sent("authorization", `bearer ${good}`) }],
  ["no word", { headers: sent("authorization", good) }],
  ["an empty header", { headers: sent("authorization", "") }],
  ["an empty word", { headers: sent("authorization", "Bearer ") }],
  ["another word", { headers: sent("authorization", "Basic abc") }],
  ["two blanks", { headers: sent("authorization", `Bearer  ${good}`) }],
  ["a word before", { headers: sent("authorization", `x Bearer ${good}`) }],
  ["garbage behind", { headers: sent("authorization", `Bearer ${good} x`) }],
  ["a comma behind", { headers: sent("authorization", `Bearer ${good},`) }],
  ["good, then bad", { headers: sent("authorization", `Bearer ${good}`, "Bearer x.y.z") }],
  ["bad, then good", { headers: sent("authorization", "Bearer x.y.z", `Bearer ${good}`) }],
  ["good twice", { headers: sent("authorization", `Bearer ${good}`, `Bearer ${good}`) }],
  ["of another key", { headers: sent("authorization", `Bearer ${token({}, OTHER)}`) }],
  ["forged", { headers: sent("authorization", `Bearer ${forged}`) }],
  ["without a signature", { headers: sent("authorization", `Bearer ${head}.${payload}.`) }],
  ["with two parts", { headers: sent("authorization", `Bearer ${head}.${payload}`) }],
  ["alg none", { headers: sent("authorization", `Bearer ${token({}, KEY, "none")}`) }],
  ["alg HS256", { headers: sent("authorization", `Bearer ${token({}, KEY, "HS256")}`) }],
  ["expired long ago", { headers: sent("authorization", `Bearer ${token({ exp: NOW_S - 300 })}`) }],
  ["just expired", { headers: sent("authorization", `Bearer ${token({ exp: NOW_S - 30 })}`) }],
  ["without an end", { headers: sent("authorization", `Bearer ${token({ exp: undefined })}`) }],
  ["of tomorrow", { headers: sent("authorization", `Bearer ${token({ nbf: NOW_S + 300 })}`) }],
  ["for others", { headers: sent("authorization", `Bearer ${token({ aud: "other" })}`) }],
  ["for nobody", { headers: sent("authorization", `Bearer ${token({ aud: undefined })}`) }],
  ["of an unknown issuer", { headers: sent("authorization", `Bearer ${token({ iss: "https://else.test" })}`) }],
  ["without an issuer", { headers: sent("authorization", `Bearer ${token({ iss: undefined })}`) }],
  ["with a number for an issuer", { headers: sent("authorization", `Bearer ${token({ iss: 1 })}`) }],
  ["in the query", { path: `/?a=b&access_token=${good}&c=d` }],
  ["in the query among others", { path: `/?c=d&access_token=${good}&a=b%2Cc%26&e&a=%41+b&%66=1` }],
  ["with an end that is no number", { headers: sent("authorization", `Bearer ${token({ exp: "soon" })}`) }],
  ["with a beginning that is no number", { headers: sent("authorization", `Bearer ${token({ nbf: "1" })}`) }],
  ["with a list for a subject", { headers: sent("authorization", `Bearer ${token({ sub: ["a"] })}`) }],
  ["with a payload that is no JSON", { headers: sent("authorization", `Bearer ${head}.${"x".repeat(8)}.${good.split(".")[2]}`) }],
  ["bad in the query", { path: "/?access_token=x" }],
  ["good, and bad in the query", { path: "/?access_token=x.y.z", headers: sent("authorization", `Bearer ${good}`) }],
  ["in a cookie", { headers: sent("cookie", `a=b; sid=${other}; c=d`) }],
  ["bad in a cookie", { headers: sent("cookie", "sid=x.y.z") }],
  ["in a header of its own", { headers: sent("x-token", `Token ${other}`) }],
  ["in a parameter of its own", { path: `/?t=${other}` }],
  [
    "good, and another issuer's",
    { path: "/mine", headers: [...sent("authorization", `Bearer ${good}`), ...sent("x-token", `Token ${other}`)] },
  ],
  ["good, and another issuer's bad one", { headers: [...sent("authorization", `Bearer ${good}`), ...sent("x-token", "Token x.y.z")] }],
  ["in the other issuer's place", { headers: sent("x-token", `Token ${good}`) }],
  ["without a word before it", { headers: sent("x-bare", bare) }],
  ["nothing, where no word is before it", { headers: sent("x-bare", "") }],
  ["with a word where none is", { headers: sent("x-bare", `JWT ${bare}`) }],
  ["garbage behind one without a word", { headers: sent("x-bare", `${bare} x`) }],
  ["good, then bad in a line of its own", { headers: sent("x-bare", bare, "x.y.z") }],
  ["bad, then good in a line of its own", { headers: sent("x-bare", "x.y.z", bare) }],
  ["good twice in lines of their own", { headers: sent("x-bare", bare, bare) }],
  ["good with a word in the second line", { headers: sent("x-token", "Basic abc", `Token ${other}`) }],
  ["of two issuers in one header, one with a word", { headers: sent("x-bare", bare, `Token ${other}`) }],
  ["with a word, where another issuer's has none", { headers: sent("x-bare", `Token ${other}`) }],
  [
    "two bad ones in two headers, the one that comes last by its name sent first",
    { headers: [...sent("x-bare", "x.y"), ...sent("a-bare", token({ iss: "https://bare.test", exp: NOW_S - 300 }, OTHER))] },
  ],
  [
    "bad ones in a header and in the query",
    { path: "/?t=x.y", headers: sent("x-bare", token({ iss: "https://bare.test", exp: NOW_S - 300 }, OTHER)) },
  ],
  [
    "bad, by another scheme",
    {
      headers: [...sent("authorization", "Bearer x.y.z"), ...sent("x-forwarded-proto", "https"), ...sent("x-envoy-original-path", "/was")],
    },
  ],
  ["bad, with a long path", { path: `/${"a".repeat(300)}?x=1`, headers: sent("authorization", "Bearer x.y.z") }],
  ["bad, asked for with HEAD", { method: "HEAD", headers: sent("authorization", "Bearer x.y.z") }],
  [
    "a preflight with a bad one",
    {
      method: "OPTIONS",
      headers: [...sent("origin", "https://a"), ...sent("access-control-request-method", "GET"), ...sent("authorization", "Bearer x.y.z")],
    },
  ],
];

export const TOKEN_CASES: readonly (readonly [title: string, given: Case])[] = CASES.map(([title, given]) => [
  title,
  { by: "gateway", host: "a.test", path: "/", ...given },
]);
