import type { Route, RouteTable, VirtualHost } from "../../ir/route.ts";
import type { Finding, Scope, VirtualService } from "../../mesh/index.ts";
import type { Origin } from "../../model/origin.ts";
import type { Memo } from "../memo.ts";
import { type BoundServer, serverHosts, sharedHosts } from "./gateway-server.ts";
import { toDestinations, type TranslatedTable, virtualServiceKey } from "./outbound-route.ts";
import { isCatchAll } from "./route-match.ts";
import { toRoutes } from "./route.ts";

/** The virtual hosts of servers that share one connection manager; a host that several VirtualServices claim has the routes of all, the oldest's first. */
export function gatewayRouteTable(scope: Scope, name: string, servers: readonly BoundServer[], memo: Memo): TranslatedTable {
  const inputs = servers.map(({ gateway, origin, port, virtualServices }) => [
    `${gateway.namespace}/${gateway.name} ${gateway.hash} ${origin.path.join("/")} ${port}`,
    ...virtualServices.map((virtualService) => virtualServiceKey(scope, virtualService)),
  ]);
  return memo.get(`gateway-table ${name} ${scope.settings.hash} ${inputs.flat().join("|")}`, () => buildTable(scope, name, servers));
}

interface HostDraft {
  readonly routes: Route[];
  readonly origin: Origin[];
  readonly seen: Set<string>;
  /** Whose routes it has. */
  readonly namespaces: Set<string>;
  requiresTls: boolean;
}

function buildTable(scope: Scope, name: string, servers: readonly BoundServer[]): TranslatedTable {
  const drafts = new Map<string, HostDraft>();
  const findings: Finding[] = [];
  for (const bound of servers) {
    const redirects = bound.server.tls?.httpsRedirect === true;
    for (const virtualService of bound.virtualServices) {
      if (virtualService.spec.http === undefined) continue;
      const gatewayName = `${bound.gateway.namespace}/${bound.gateway.name}`;
      const hosts = sharedHosts(virtualService, bound, scope.settings.clusterDomain);
      if (hosts.length === 0) continue;
      const { namespace, labels } = scope.proxy;
      const client = { gateways: [gatewayName], namespace, labels, port: bound.server.port.number, isTls: bound.kind === "https" };
      const translated = toRoutes(virtualService, client, toDestinations(scope));
      findings.push(...translated.findings);
      const key = `${virtualService.namespace}/${virtualService.name} ${gatewayName}`;
      for (const host of hosts) {
        const draft = draftOf(drafts, host);
        draft.requiresTls ||= redirects;
        if (draft.seen.has(key)) continue;
        draft.seen.add(key);
        draft.namespaces.add(virtualService.namespace);
        if (scope.settings.profile === "zero-trust" && draft.namespaces.size > 1)
          findings.push(contested(host, virtualService, bound, [...draft.namespaces]));
        draft.routes.push(...translated.routes);
        draft.origin.push(virtualService.origin, bound.origin);
      }
    }
    if (redirects) for (const host of serverHosts(bound, scope.settings.clusterDomain)) requireTls(drafts, host, bound.origin);
  }
  const port = servers[0]?.port ?? 0;
  const virtualHosts = [...drafts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([host, draft]) => toVirtualHost(host, port, draft));
  const table: RouteTable = {
    name,
    virtualHosts: virtualHosts.length > 0 ? virtualHosts : [nothing(port, servers)],
    ignorePortInHost: true,
  };
  return { table, findings };
}

function draftOf(drafts: Map<string, HostDraft>, host: string): HostDraft {
  let draft = drafts.get(host);
  if (draft === undefined)
    drafts.set(host, (draft = { routes: [], origin: [], seen: new Set(), namespaces: new Set(), requiresTls: false }));
  return draft;
}

/** Nothing says whose a gateway's host is, unless its Gateway does. */
function contested(host: string, { origin }: VirtualService, { gateway }: BoundServer, all: readonly string[]): Finding {
  return {
    code: "KMK2007",
    message: `host "${host}" of Gateway "${gateway.namespace}/${gateway.name}" is routed by namespaces ${all.map((name) => `"${name}"`).join(" and ")}: the routes of both count`,
    help: `write the one whose it is in front of the Gateway's host: "NAMESPACE/${host}"`,
    origin: { ref: origin.ref, path: ["spec", "hosts"] },
    related: [{ message: "the Gateway", resource: gateway.origin.ref }],
  };
}

function requireTls(drafts: Map<string, HostDraft>, host: string, origin: Origin): void {
  const draft = draftOf(drafts, host);
  draft.requiresTls = true;
  if (draft.origin.length === 0) draft.origin.push(origin);
}

/** Routes that catch everything go last, and only the first of them can be reached. */
function toVirtualHost(host: string, port: number, { routes, origin, requiresTls }: HostDraft): VirtualHost {
  const narrow = routes.filter(({ match }) => !isCatchAll(match));
  const wide = routes.filter(({ match }) => isCatchAll(match)).slice(0, 1);
  return {
    name: `${host}:${port}`,
    domains: [host],
    routes: [...narrow, ...wide],
    origin,
    ...(requiresTls && { requireTls: "all" as const }),
  };
}

/** No VirtualService: every request is answered 404. */
function nothing(port: number, servers: readonly BoundServer[]): VirtualHost {
  return { name: `blackhole:${port}`, domains: ["*"], routes: [], origin: servers.map(({ origin }) => origin) };
}
