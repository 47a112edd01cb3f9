import type { Document } from "./document.ts";
import type { Draw } from "./draw.ts";
import { ISSUERS } from "./topology.ts";

type Policy = Readonly<Record<string, unknown>>;

const TARGETS = [
  { namespace: "shop", labels: { app: "users" } },
  { namespace: "shop", labels: { app: "users" } },
  { namespace: "shop", labels: { app: "users", version: "v2" } },
  { namespace: "shop", labels: { app: "orders" } },
  { namespace: "shop" },
  { namespace: "data", labels: { app: "store" } },
  { namespace: "istio-system", labels: { istio: "ingressgateway" } },
] as const;

/** Where most requests go. */
const TOKEN_TARGETS = [TARGETS[0], TARGETS[0], TARGETS[2], TARGETS[3], TARGETS[4], TARGETS[6], TARGETS[6]] as const;

function document(kind: string, namespace: string, name: string, spec: unknown, annotations = {}): Document {
  return { apiVersion: "security.istio.io/v1", kind, metadata: { namespace, name, ...annotations }, spec };
}

function drawTarget(draw: Draw): { readonly namespace: string; readonly selector: object } {
  const target = draw.one(TARGETS);
  return { namespace: target.namespace, selector: "labels" in target ? { selector: { matchLabels: target.labels } } : {} };
}

/** Of Services of every protocol, of containers alone, and of nobody. */
const MTLS_PORTS = ["8080", "5432", "9000", "8081", "7000", "7777", "6000", "3306"];

export function drawPeerAuthentications(draw: Draw): readonly Document[] {
  return draw.many(0, draw.one([0, 1, 2]), (i) => {
    const { namespace, selector } = drawTarget(draw);
    const mode = () => ({ mode: draw.one(["STRICT", "STRICT", "PERMISSIVE", "DISABLE"]) });
    return document("PeerAuthentication", namespace, `mtls-${i}`, {
      ...selector,
      mtls: mode(),
      ...("selector" in selector ? draw.maybe(50, () => ({ portLevelMtls: { [draw.one(MTLS_PORTS)]: mode() } })) : {}),
    });
  });
}

export interface TokenRule {
  readonly issuer: string;
  readonly audiences?: readonly string[];
  readonly fromHeaders?: readonly { readonly name: string; readonly prefix?: string }[];
  readonly fromParams?: readonly string[];
}

/** Tokens are signed by test keys; `jwks` is given because a rule must say where keys are. */
export function drawRequestAuthentications(
  draw: Draw,
): readonly (Document & { readonly spec: { readonly jwtRules: readonly TokenRule[] } })[] {
  if (!draw.chance(72)) return [];
  const target = draw.one(TOKEN_TARGETS);
  const jwtRules = draw.some(ISSUERS, 1, 2).map((issuer) => ({
    issuer,
    jwksUri: `${issuer}/keys`,
    ...draw.maybe(50, () => ({ audiences: draw.some(["shop", "admin", "shop.example.com/"], 1, 2) })),
    ...draw.maybe(20, () => ({
      fromHeaders: [draw.one([{ name: "x-token" }, { name: "x-token", prefix: "JWT " }, { name: "authorization", prefix: "Token " }])],
    })),
    ...draw.maybe(15, () => ({ fromParams: ["token"] })),
    ...draw.maybe(30, () => ({ forwardOriginalToken: draw.chance(70) })),
    ...draw.maybe(15, () => ({ outputPayloadToHeader: "x-payload" })),
    ...draw.maybe(20, () => ({ outputClaimToHeaders: [{ header: "x-subject", claim: draw.one(["sub", "role", "missing"]) }] })),
  }));
  const spec = { ...("labels" in target ? { selector: { matchLabels: target.labels } } : {}), jwtRules };
  return [{ ...document("RequestAuthentication", target.namespace, "tokens", spec), spec }];
}

/** In the zero-trust profile nothing passes without an ALLOW, so that most meshes have a wide one. */
export function drawAuthorizationPolicies(draw: Draw, profile: string): readonly Document[] {
  const allowAll = (namespace: string) => document("AuthorizationPolicy", namespace, "allow-all", { rules: [{}] });
  const wide = profile === "zero-trust" && draw.chance(80) ? ["shop", "data", "istio-system"].map(allowAll) : [];
  const own = draw.many(0, draw.one([1, 1, 2]), (i) => {
    const { namespace, selector } = drawTarget(draw);
    const action = draw.weighted<Policy>([
      [3, () => ({ action: "ALLOW" })],
      [1, () => ({})],
      [4, () => ({ action: "DENY" })],
    ]);
    const spec = { ...selector, ...action, rules: draw.many(draw.chance(94) ? 1 : 0, 2, () => drawRule(draw)) };
    const trial = draw.maybe(8, () => ({ annotations: { "istio.io/dry-run": draw.one(["true", "True", "false"]) } }));
    return document("AuthorizationPolicy", namespace, `policy-${i}`, spec, trial);
  });
  return [...wide, ...own];
}

function drawRule(draw: Draw): Policy {
  return {
    ...draw.maybe(45, () => ({ from: draw.many(1, draw.one([1, 1, 2]), () => ({ source: drawSource(draw) })) })),
    ...draw.maybe(70, () => ({ to: draw.many(1, draw.one([1, 1, 2]), () => ({ operation: drawOperation(draw) })) })),
    ...draw.maybe(30, () => ({ when: draw.many(1, draw.one([1, 1, 2]), () => drawCondition(draw)) })),
  };
}

/** A field, or its opposite. */
function field(draw: Draw, name: string, values: readonly string[]): Policy {
  const opposite = `not${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  return { [draw.chance(80) ? name : opposite]: draw.some(values, 1, 2) };
}

const OF_SOURCE: Readonly<Record<string, readonly string[]>> = {
  principals: [
    "cluster.local/ns/shop/sa/client",
    "cluster.local/ns/shop/sa/*",
    "*/sa/edge",
    "*",
    "spiffe://cluster.local/ns/shop/sa/client",
  ],
  namespaces: ["shop", "data", "istio-*", "*"],
  requestPrincipals: [`${ISSUERS[0]}/alice`, `${ISSUERS[0]}/*`, "*", "*/bob"],
  ipBlocks: ["203.0.113.0/24", "10.244.0.0/16", "10.9.8.7"],
  remoteIpBlocks: ["203.0.113.10", "1.2.3.0/24"],
};
const OF_OPERATION: Readonly<Record<string, readonly string[]>> = {
  paths: ["/", "/admin", "/api*", "*/items", "/items/*", "*", "/a/b", "/Admin", "/api/{*}/items", "/api/{**}"],
  methods: ["GET", "POST", "DELETE", "*", "P*"],
  hosts: ["users", "users.shop.svc.cluster.local", "shop.example.com", "*.example.com", "users:*", "SHOP.example.com"],
  ports: ["8080", "5432", "8443", "8081", "6000"],
};
const CONDITIONS: Readonly<Record<string, readonly string[]>> = {
  "request.headers[x-user]": ["tester", "te*", "*er", "*"],
  "request.headers[X-Version]": ["v1", ""],
  "source.namespace": ["shop", "data"],
  "source.principal": ["cluster.local/ns/shop/sa/client", "cluster.local/ns/data/*"],
  "source.ip": ["203.0.113.10", "10.244.0.0/16"],
  "remote.ip": ["1.2.3.4", "203.0.113.0/24"],
  "destination.port": ["8080", "5432"],
  "connection.sni": ["shop.example.com", "*.example.com"],
  "request.auth.claims[role]": ["admin", "ad*", "*"],
  "request.auth.claims[nested][role]": ["admin"],
  "request.auth.principal": [`${ISSUERS[0]}/alice`, "*"],
  "request.auth.audiences": ["shop", "admin"],
  "request.auth.presenter": ["app"],
};

function drawSource(draw: Draw): Policy {
  return Object.assign(
    {},
    ...draw.some(Object.entries(OF_SOURCE), 1, draw.one([1, 1, 2])).map(([name, values]) => field(draw, name, values)),
  );
}

function drawOperation(draw: Draw): Policy {
  return Object.assign(
    {},
    ...draw.some(Object.entries(OF_OPERATION), 1, draw.one([1, 1, 2])).map(([name, values]) => field(draw, name, values)),
  );
}

function drawCondition(draw: Draw): Policy {
  const [key, values] = draw.one(Object.entries(CONDITIONS));
  return { key, [draw.chance(80) ? "values" : "notValues"]: draw.some(values, 1, 2) };
}
