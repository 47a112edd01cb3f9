import type { Document } from "./document.ts";
import type { Draw } from "./draw.ts";
import { drawRouteAction } from "./route-action.ts";
import { drawPathMatch, drawValueMatch, HEADERS, METHODS, QUERIES, type StringMatch } from "./vocabulary.ts";

/** One set of conditions of an HTTP route. */
export interface HttpMatch {
  readonly uri?: StringMatch;
  readonly ignoreUriCase?: boolean;
  readonly method?: StringMatch;
  readonly authority?: StringMatch;
  readonly headers?: Readonly<Record<string, StringMatch>>;
  readonly withoutHeaders?: Readonly<Record<string, StringMatch>>;
  readonly queryParams?: Readonly<Record<string, StringMatch>>;
  readonly [other: string]: unknown;
}

export interface HttpRoute {
  readonly match?: readonly HttpMatch[];
  readonly [action: string]: unknown;
}

export interface VirtualService extends Document {
  readonly spec: {
    readonly hosts: readonly string[];
    readonly gateways?: readonly string[];
    readonly http?: readonly HttpRoute[];
    readonly tcp?: readonly unknown[];
    readonly tls?: readonly unknown[];
  };
}

const OTHER_HOSTS = ["orders", "api.example.com", "legacy.data.svc.cluster.local"];
export const GATEWAY_HOSTS = ["shop.example.com", "api.shop.example.com", "*.example.com", "*"];
export const GATEWAY = "istio-system/public";

export function drawVirtualServices(draw: Draw): readonly VirtualService[] {
  const users = draw.chance(80) ? [draw.one(["users", "users.shop.svc.cluster.local"])] : [];
  const hosts = [...users, ...draw.some(OTHER_HOSTS, users.length === 0 ? 1 : 0, 1)];
  const mesh = hosts.map((host, i) => drawHttp(draw, `mesh-${i}`, [host], draw.one([undefined, ["mesh"]])));
  const gateway = draw.many(1, 2, (i) => drawHttp(draw, `edge-${i}`, draw.some(GATEWAY_HOSTS, 1, 2), [GATEWAY]));
  const both = draw.chance(15) ? [drawHttp(draw, "both", ["users.shop.svc.cluster.local", "users.example.com"], ["mesh", GATEWAY])] : [];
  const bytes = draw.chance(40) ? [drawBytes(draw)] : [];
  return [...mesh, ...gateway, ...both, ...bytes];
}

function document(name: string, spec: VirtualService["spec"]): VirtualService {
  return { apiVersion: "networking.istio.io/v1", kind: "VirtualService", metadata: { namespace: "shop", name }, spec };
}

function drawHttp(draw: Draw, name: string, hosts: readonly string[], gateways: readonly string[] | undefined): VirtualService {
  const routes = draw.many(2, 5, () => ({ match: draw.many(1, draw.one([1, 1, 2]), () => drawMatch(draw)), ...drawRouteAction(draw) }));
  const last = draw.chance(78) ? [drawRouteAction(draw)] : [];
  return document(name, { hosts, ...(gateways && { gateways }), http: [...routes, ...last] });
}

function drawMatch(draw: Draw): HttpMatch {
  const path = () => ({ uri: drawPathMatch(draw), ...draw.maybe(12, () => ({ ignoreUriCase: true })) });
  const header = () => drawHeaderMatch(draw);
  return draw.weighted<HttpMatch>([
    [16, path],
    [8, header],
    [3, () => ({ ...path(), ...header() })],
    [2, () => ({ ...draw.maybe(50, path), queryParams: drawNamed(draw, QUERIES) })],
    [2, () => ({ ...path(), method: { exact: draw.one(METHODS) } })],
    [
      1,
      () => ({
        authority: draw.one([
          { exact: "users" },
          { prefix: "users" },
          { exact: "shop.example.com" },
          { regex: ".*\\.example\\.com(:[0-9]+)?" },
        ]),
      }),
    ],
    [1, () => ({ ...path(), port: draw.one([80, 81, 443]) })],
    [1, () => ({ ...path(), sourceLabels: { app: draw.one(["client", "orders"]) } })],
    [1, () => ({ ...path(), withoutHeaders: drawNamed(draw, HEADERS) })],
    [1, () => ({ ...path(), gateways: [draw.one(["mesh", GATEWAY])] })],
    [1, () => ({ ...path(), scheme: { exact: draw.one(["http", "https"]) } })],
  ]);
}

function drawHeaderMatch(draw: Draw): HttpMatch {
  return { headers: drawNamed(draw, HEADERS) };
}

function drawNamed(draw: Draw, names: Readonly<Record<string, readonly string[]>>): Readonly<Record<string, StringMatch>> {
  return Object.fromEntries(
    draw.some(Object.keys(names), 1, draw.one([1, 1, 2])).map((name) => [name, drawValueMatch(draw, names[name] ?? [])]),
  );
}

/** Routes of bytes and of TLS that passes through. */
function drawBytes(draw: Draw): VirtualService {
  const port = { number: 5432 };
  const store = { destination: { host: "store.data.svc.cluster.local", port } };
  return draw.weighted([
    [
      2,
      () =>
        document("bytes", {
          hosts: ["store.data.svc.cluster.local"],
          tcp: [{ match: [{ port: 5432, ...draw.maybe(40, () => ({ sourceLabels: { app: "client" } })) }], route: [store] }],
        }),
    ],
    [
      1,
      () =>
        document("bytes", {
          hosts: ["store.data.svc.cluster.local"],
          tcp: [{ route: [{ destination: { host: "ghost.data.svc.cluster.local", port } }] }],
        }),
    ],
    [2, () => document("bytes", { hosts: ["*"], gateways: [GATEWAY], tcp: [{ match: [{ port: 5432 }], route: [store] }] })],
    [
      3,
      () => {
        const sniHosts = [draw.one(["vault.example.com", "*.example.com"])];
        const destination = { host: "vault.data.svc.cluster.local", port: { number: 443 } };
        return document("bytes", {
          hosts: sniHosts,
          gateways: [GATEWAY],
          tls: [{ match: [{ port: 443, sniHosts }], route: [{ destination }] }],
        });
      },
    ],
  ]);
}
