import type { FuzzCall } from "./document.ts";
import type { Draw } from "./draw.ts";
import type { GeneratedMesh } from "./mesh.ts";
import { CALLERS, CLIENT_ADDRESSES } from "./topology.ts";
import type { VirtualService } from "./virtual-service.ts";

/** Where a request is sent, and what may be in its way there. */
export interface Aim {
  readonly from: FuzzCall["from"];
  readonly scheme: string;
  readonly host: string;
  readonly port?: number;
  readonly more?: Readonly<Record<string, unknown>>;
  /** Whose conditions the request is near. */
  readonly routes: readonly VirtualService[];
}

/** The scheme's name for what may also be spoken there. */
function drawScheme(draw: Draw, tls = false): { readonly scheme: string; readonly more?: Readonly<Record<string, unknown>> } {
  return draw.weighted([
    [16, () => ({ scheme: tls ? "https" : "http" })],
    [2, () => ({ scheme: tls ? "https" : "http", more: { http2: true } })],
    [1, () => ({ scheme: tls ? "wss" : "ws" })],
  ]);
}

export function aimAtService(draw: Draw, { virtualServices }: GeneratedMesh): Aim {
  const routes = virtualServices.filter(({ spec }) => spec.http !== undefined && (spec.gateways ?? ["mesh"]).includes("mesh"));
  const [wanted = "users"] =
    draw.chance(88) && routes.length > 0 ? draw.one(routes).spec.hosts : [draw.one(["users", "orders", "legacy", "store", "empty"])];
  const [name = "users"] = wanted.split(".");
  const isOutside = wanted === "api.example.com";
  const namespace = ["legacy", "store"].includes(name) ? "data" : "shop";
  const host = isOutside ? wanted : draw.one([`${name}.${namespace}`, `${name}.${namespace}.svc.cluster.local`, `${name}.${namespace}`]);
  const from = draw.chance(94) || isOutside ? draw.one(CALLERS) : "legacy";
  const anyPort = { users: 81, store: 6000 }[name];
  const port = anyPort !== undefined && draw.chance(15) ? { port: anyPort } : {};
  return {
    from: { workload: from },
    host,
    ...port,
    ...drawScheme(draw),
    routes: routes.filter(({ spec }) => spec.hosts.some((own) => own.split(".")[0] === name)),
  };
}

function gatewayRoutes({ virtualServices }: GeneratedMesh): readonly VirtualService[] {
  return virtualServices.filter(({ spec }) => spec.http !== undefined && spec.gateways?.some((gateway) => gateway !== "mesh") === true);
}

/** A host below a wildcard is any. */
function concrete(draw: Draw, host: string): string {
  return host.replace(/^\*\.?/, draw.one(["shop", "x", "a.b", "API"]).concat(host === "*" ? ".example.com" : "."));
}

export function fromOutside(draw: Draw, workload: object): FuzzCall["from"] {
  return { ...workload, ...draw.maybe(30, () => ({ clientIp: draw.one(CLIENT_ADDRESSES) })) };
}

export function aimAtGateway(draw: Draw, mesh: GeneratedMesh): Aim {
  const virtualService = draw.one(gatewayRoutes(mesh));
  const host = draw.chance(92) ? concrete(draw, draw.one(virtualService.spec.hosts)) : draw.one(["shop.example.com", "nobody.example.org"]);
  const port = draw.chance(4) ? { port: 9090 } : {};
  return { from: fromOutside(draw, { gateway: "edge" }), host, ...port, ...drawScheme(draw), routes: [virtualService] };
}

export function aimAtGatewayTls(draw: Draw, mesh: GeneratedMesh): Aim {
  const host = draw.one([
    "shop.example.com",
    "shop.example.com",
    "api.shop.example.com",
    "partner.example.com",
    "vault.example.com",
    "other.example.org",
  ]);
  const certificate = draw.maybe(host.startsWith("partner") ? 80 : 10, () => ({
    clientCert: draw.one(["valid", "valid", "wrong-ca", "expired"]),
  }));
  const sni = draw.maybe(20, () => ({ sni: draw.one([host.toUpperCase(), `x.${host}`, "other.example.org", "partner.example.com"]) }));
  const { scheme, more } = drawScheme(draw, true);
  return {
    from: { ...fromOutside(draw, { gateway: "edge" }), ...certificate },
    host,
    scheme,
    more: { ...more, ...sni },
    routes: gatewayRoutes(mesh),
  };
}

/** Past every sidecar of a caller: in plaintext, or with a certificate of one's own. */
export function aimAtWorkload(draw: Draw): Aim {
  const outside = draw.one(["users-v1", "users-v2", "orders", "store", "legacy"]);
  const tls = draw.chance(35);
  const certificate = tls
    ? draw.maybe(70, () => ({ clientCert: draw.one(["spiffe://cluster.local/ns/shop/sa/client", "valid", "wrong-ca", "expired"]) }))
    : {};
  const host = outside.split("-")[0] ?? outside;
  return {
    from: { ...fromOutside(draw, { outside }), ...certificate },
    host,
    port: draw.one([8080, 8080, 8080, 8080, 7777, ...(host === "users" ? [8081, 7000] : [6000, 7000])]),
    ...drawScheme(draw, tls),
    routes: [],
  };
}

export function aimOutside(draw: Draw, { virtualServices }: GeneratedMesh): Aim {
  const host = draw.one(["api.example.com", "other.example.net", "a.cdn.example.com", "A.cdn.example.com"]);
  const port = draw.maybe(15, () => ({ port: draw.one([8080, 443, 81, 6000]) }));
  return {
    from: { workload: draw.one(CALLERS) },
    host,
    ...port,
    ...drawScheme(draw, draw.chance(40)),
    routes: virtualServices.filter(({ spec }) => spec.hosts.includes(host)),
  };
}
