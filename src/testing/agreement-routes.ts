import type { MeshSettingsOptions } from "../mesh/index.ts";
import type { Case } from "./agreement.ts";

/** Routes and policies; requests near their edges. */
export const ROUTES = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: users, namespace: test }
spec:
  hosts: [users.test.svc.cluster.local, a.test, "*.wild.test"]
  gateways: [mesh, public]
  http:
    - match: [{ uri: { exact: /exact } }]
      rewrite: { uri: /replaced }
      route: [{ destination: { host: users.test.svc.cluster.local, subset: v2 } }]
    - match: [{ uri: { prefix: /prefix } }]
      rewrite: { uri: /other }
      route: [{ destination: { host: users.test.svc.cluster.local, subset: v2 } }]
    - match: [{ uri: { prefix: /slash/ } }]
      rewrite: { uri: /, authority: elsewhere.test }
      route: [{ destination: { host: users.test.svc.cluster.local, subset: v2 } }]
    - match: [{ uri: { prefix: /fold/Me }, ignoreUriCase: true }]
      rewrite: { uri: /folded }
      route: [{ destination: { host: users.test.svc.cluster.local, subset: v2 } }]
    - match: [{ uri: { regex: "/re/[0-9]+(/.*)?" } }]
      rewrite: { uriRegexRewrite: { match: "/re/([0-9]+)", rewrite: "/id-\\\\1" } }
      route: [{ destination: { host: users.test.svc.cluster.local, subset: v2 } }]
    - match: [{ uri: { prefix: /header }, headers: { x-user: { exact: tester } } }]
      headers: { request: { set: { x-set: one }, add: { x-add: two }, remove: [x-gone] }, response: { set: { x-back: "3" } } }
      route: [{ destination: { host: users.test.svc.cluster.local, subset: v2 } }]
    - match: [{ uri: { prefix: /header }, headers: { x-user: { prefix: "te," } } }]
      directResponse: { status: 201 }
    - match: [{ uri: { prefix: /without }, withoutHeaders: { x-user: { exact: tester } } }]
      directResponse: { status: 202 }
    - match: [{ uri: { prefix: /query }, queryParams: { q: { exact: "a b" } } }]
      directResponse: { status: 203 }
    - match: [{ uri: { prefix: /query }, queryParams: { q: { exact: a } } }]
      directResponse: { status: 206 }
    - match: [{ uri: { prefix: /method }, method: { exact: PUT } }]
      directResponse: { status: 207 }
    - match: [{ uri: { prefix: /authority }, authority: { exact: a.test } }]
      directResponse: { status: 208 }
    - match: [{ uri: { exact: /redirect } }]
      redirect: { uri: /there, redirectCode: 307 }
    - match: [{ uri: { exact: /redirect-host } }]
      redirect: { authority: b.test, scheme: https }
    - match: [{ uri: { exact: /redirect-port } }]
      redirect: { port: 8443 }
    - match: [{ uri: { prefix: /redirect-prefix } }]
      redirect: { uri: "%PREFIX()%" }
    - match: [{ uri: { prefix: /fault } }]
      fault: { abort: { httpStatus: 418, percentage: { value: 100 } } }
      route: [{ destination: { host: users.test.svc.cluster.local, subset: v1 } }]
    - match: [{ uri: { prefix: /cors } }]
      corsPolicy: { allowOrigins: [{ exact: "https://a.test" }, { prefix: "https://b." }], allowMethods: [GET], allowHeaders: [x-a], maxAge: 60s, allowCredentials: true, exposeHeaders: [x-b] }
      route: [{ destination: { host: users.test.svc.cluster.local, subset: v1 } }]
    - match: [{ uri: { exact: /made } }]
      directResponse: { status: 201, body: { string: made } }
    - match: [{ uri: { exact: /nothing } }]
      directResponse: { status: 204, body: { string: lost } }
    - match: [{ uri: { prefix: /back } }]
      headers: { response: { set: { x-back: "4" } } }
      route: [{ destination: { host: users.test.svc.cluster.local, subset: v1 } }]
    - match: [{ uri: { prefix: /missing } }]
      route: [{ destination: { host: users.test.svc.cluster.local, subset: v9 } }]
    - match: [{ uri: { prefix: / } }]
      route: [{ destination: { host: users.test.svc.cluster.local, subset: v1 } }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: deny, namespace: test }
spec:
  selector: { matchLabels: { app: users } }
  action: DENY
  rules:
    - to: [{ operation: { paths: [/admin] } }]
    - to: [{ operation: { paths: ["/area/*"], methods: [DELETE] } }]
    - to: [{ operation: { hosts: [secret.wild.test] } }]
    - when: [{ key: "request.headers[x-role]", values: [admin] }]
    - to: [{ operation: { paths: [/back/denied] } }]
    - to: [{ operation: { paths: [/principal] } }]
      from: [{ source: { principals: [cluster.local/ns/test/sa/test] } }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: allow, namespace: test }
spec: { rules: [{}] }
`;

const one = (path: string, more: Partial<Case> = {}): Case => ({ by: "sidecar", path, ...more });
const at = (path: string, more: Partial<Case> = {}): Case => ({ by: "gateway", host: "a.test", path, ...more });
const both = (path: string, more: Partial<Case> = {}): readonly Case[] => [one(path, more), at(path, { host: "a.test", ...more })];

const PATHS = [
  "/",
  "/exact",
  "/exact/",
  "/Exact",
  "/exact?x=1",
  "/exact%3Fx",
  "/prefix",
  "/prefix/",
  "/prefixed",
  "/prefix/a?b=/c",
  "/slash",
  "/slash/",
  "/slash//a",
  "/fold/me",
  "/FOLD/ME/x",
  "/re/1",
  "/re/12/x?y=1",
  "/re/",
  "/re/1x",
  "/re/1/\u0041%0a",
  "/admin",
  "/admin/",
  "/Admin",
  "/admin?x=1",
  "/./admin",
  "/x/../admin",
  "/%61dmin",
  "/%2e/admin",
  "/x/%2e%2e/admin",
  "//admin",
  "/.//admin",
  "/\\admin",
  "/%2fadmin",
  "/%5cadmin",
  "/..%2fadmin",
  "/admin%20",
  "/admin;a=b",
  "/admin%00",
  "/admin#x",
  "/admin%2f",
  "/a//b",
  "/a%2Fb",
  "/a/./b/../c/.",
  "/a/..",
  "/a%7eb%2D",
  "/a%zzb",
  "/a|b",
  "/a%41%",
  "/..",
  "/a/...",
  "/a/.b",
  "/a/b..",
  "/a?b?c#",
  "/a*b,c;d=e'f(g)!$&+:@",
  "/a<b>",
  '/a"b',
  "/a{b}",
  "/a^b`c",
  "/a[b]",
  "/a%e9b",
  "/a\u00e9b",
  "/a%c3%a9",
  "/redirect",
  "/redirect?x=1",
  "/redirect-host",
  "/redirect-port",
  "/redirect-prefix/x?y",
  "/fault",
  "/missing",
] as const;

export const ROUTE_CASES: readonly Case[] = [
  ...PATHS.flatMap((path) => both(path)),
  ...both("/redirect", { host: "a.test:8080" }),
  ...both("/redirect-port", { host: "a.test:8080" }),
  ...both("/redirect-host", { host: "a.test:80" }),
  ...[
    "users",
    "USERS",
    "users:80",
    "users:81",
    "users.test",
    "users.test.svc",
    "users.test.svc.cluster.local",
    "users.test.svc.cluster.local.",
    "users.",
    "users.:80",
    "nobody",
    "x.users",
    "a.test",
    "A.TEST:9",
    "x.wild.test",
    "x.y.wild.test",
    "wild.test",
    ".wild.test",
    "secret.wild.test",
    "SECRET.wild.test:80",
    "secret.wild.test.",
    "[::1]:80",
    "127.0.0.1",
  ].flatMap((host) => both("/", { host })),
  ...both("/header", {
    headers: [
      ["x-user", "tester"],
      ["x-add", "zero"],
      ["x-set", "zero"],
      ["x-gone", "1"],
    ],
  }),
  ...both("/header", { headers: [["X-User", "tester"]] }),
  ...both("/header", { headers: [["x-user", "Tester"]] }),
  ...both("/header", { headers: [["x-user", "tester "]] }),
  ...both("/header", {
    headers: [
      ["x-user", "te"],
      ["x-user", "ster"],
    ],
  }),
  ...both("/header", {
    headers: [
      ["x-user", "tester"],
      ["x-user", "tester"],
    ],
  }),
  ...both("/header", { headers: [["x_user", "tester"]] }),
  ...both("/without"),
  ...both("/without", { headers: [["x-user", "tester"]] }),
  ...both("/without", { headers: [["x-user", ""]] }),
  ...both("/without", {
    headers: [
      ["x-user", "tester"],
      ["x-user", "other"],
    ],
  }),
  ...both("/without", {
    headers: [
      ["x-user", "other"],
      ["x-user", "another"],
    ],
  }),
  ...both("/query?q=a"),
  ...both("/query?q=a&q=b"),
  ...both("/query?q=b&q=a"),
  ...both("/query?q=a%20b"),
  ...both("/query?Q=a"),
  ...both("/query?q=a#x"),
  ...both("/query?x&q=a"),
  ...both("/method", { method: "PUT" }),
  ...both("/method", { method: "put" }),
  ...both("/authority", { host: "a.test:80" }),
  ...both("/authority", { host: "A.test" }),
  ...both("/area/x", { method: "DELETE" }),
  ...both("/area", { method: "DELETE" }),
  ...both("/", { headers: [["x-role", "admin"]] }),
  ...both("/", {
    headers: [
      ["x-role", "admin"],
      ["x-role", "user"],
    ],
  }),
  ...both("/", {
    headers: [
      ["x-role", "user"],
      ["x-role", "admin"],
    ],
  }),
  ...both("/", { headers: [["x-role", "admin,user"]] }),
  ...both("/", { headers: [["x-role", "Admin"]] }),
  ...both("/principal"),
  ...both("/cors", { headers: [["origin", "https://a.test"]] }),
  ...both("/cors", { headers: [["origin", "https://A.test"]] }),
  ...both("/cors", {
    method: "OPTIONS",
    headers: [
      ["origin", "https://b.x"],
      ["access-control-request-method", "GET"],
    ],
  }),
  ...both("/cors", {
    method: "OPTIONS",
    headers: [
      ["origin", "https://c.x"],
      ["access-control-request-method", "GET"],
    ],
  }),
  ...both("/", {
    headers: [
      ["x-forwarded-for", "1.2.3.4"],
      ["x-forwarded-proto", "https"],
    ],
  }),
  ...both("/", {
    headers: [
      ["x-forwarded-for", "10.0.0.1"],
      ["x-envoy-original-path", "/y"],
    ],
  }),
  ...both("/", {
    headers: [
      ["x-forwarded-client-cert", "URI=spiffe://x"],
      ["x-request-id", "abc"],
      ["x-envoy-internal", "true"],
    ],
  }),
  ...["https", "http", "HTTPS"].flatMap((proto) =>
    ["/redirect", "/back#x"].flatMap((path) => both(path, { headers: [["x-forwarded-proto", proto]] })),
  ),
  ...["/made?x=1", "/made", "/nothing", "/back/denied", "/back", "/back#x", "//back///denied//"].flatMap((path) => both(path)),
  ...["/made", "/admin", "/missing"].flatMap((path) => both(path, { method: "HEAD" })),
  ...both("/back", {
    headers: [
      ["upgrade", "other"],
      ["connection", "upgrade"],
    ],
  }),
  ...["users/", "us ers", "users#x", "users:80:81", "[::1]", "us%20ers", "users,a.test", "", ".", "users|"].flatMap((host) =>
    both("/", { host }),
  ),
  ...both("http://users/exact"),
  ...both("*", { method: "OPTIONS" }),
  ...both("/", { headers: [["x-echo-status", "503"]] }),
];

export const ROUTE_MESHES: readonly { readonly title: string; readonly settings: MeshSettingsOptions; readonly mesh: string }[] = [
  { title: "Istio's defaults", settings: { profile: "istio" }, mesh: ROUTES },
  {
    title: "zero trust, slashes decoded and merged",
    settings: { profile: "zero-trust" },
    mesh: `${ROUTES}---
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data: { mesh: "pathNormalization: { normalization: DECODE_AND_MERGE_SLASHES }" }
`,
  },
];
