import { intersectHosts } from "../../base/host-match.ts";
import { type Finding, type Gateway, type GatewayServer, qualifyHost, type Scope, type VirtualService } from "../../mesh/index.ts";
import type { Origin } from "../../model/origin.ts";

/** One server of a Gateway where this proxy binds it. */
export interface BoundServer {
  readonly gateway: Gateway;
  readonly server: GatewayServer;
  readonly virtualServices: readonly VirtualService[];
  readonly kind: ServerKind;
  readonly address: string;
  /** The port that the proxy binds: the target port of the Service in front of it, where there is one. */
  readonly port: number;
  readonly origin: Origin;
}

/** What is spoken on the port: HTTP as it is, HTTP inside TLS that ends here, TLS passed on or ended, or bytes. */
export type ServerKind = "http" | "https" | "tls-passthrough" | "tls" | "tcp";

/**
 * Servers of all Gateways that this proxy carries out, by what they bind; one that can't share its port is left out. In the zero-trust profile
 * only the proxies' own namespace and the root namespace open ports of theirs.
 */
export function boundServers(scope: Scope, findings: Finding[]): ReadonlyMap<string, readonly BoundServer[]> {
  const byBind = new Map<string, BoundServer[]>();
  for (const { gateway, virtualServices } of scope.gateways) {
    if (isForeign(gateway, scope)) {
      findings.push(foreignGateway(gateway, scope.proxy.namespace));
      continue;
    }
    for (const [i, server] of gateway.servers.entries()) {
      const origin: Origin = { ref: gateway.origin.ref, path: ["spec", "servers", i] };
      const kind = kindOf(server);
      const leaveOut = (message: string) => findings.push({ code: "KMK1003", message: `${message}; this server is left out`, origin });
      if (kind === undefined) {
        leaveOut(`protocol ${server.port.protocol} is not served at gateways`);
        continue;
      }
      const address =
        server.bind !== undefined && server.bind !== "" ? server.bind : scope.proxy.capture === "none" ? "127.0.0.1" : "0.0.0.0";
      const port = scope.proxy.targetPorts[server.port.number] ?? server.port.number;
      const key = `${address}_${port}`;
      const others = byBind.get(key);
      const bound: BoundServer = { gateway, server, virtualServices, kind, address, port, origin };
      if (others === undefined) byBind.set(key, [bound]);
      else if (others[0] !== undefined && familyOf(others[0].kind) !== familyOf(kind))
        leaveOut(`port ${port} already serves ${others[0].server.port.protocol}`);
      else others.push(bound);
    }
  }
  return byBind;
}

/** Plaintext HTTP, TLS and bytes can't be told apart on one port. */
function familyOf(kind: ServerKind): "http" | "tls" | "tcp" {
  return kind === "http" || kind === "tcp" ? kind : "tls";
}

function kindOf({ port, tls }: GatewayServer): ServerKind | undefined {
  const passes = tls?.mode === "PASSTHROUGH";
  switch (port.protocol.toUpperCase()) {
    case "HTTP":
    case "HTTP2":
    case "GRPC":
    case "GRPC-WEB":
      return "http";
    case "HTTPS":
      return passes ? "tls-passthrough" : tls?.mode === "AUTO_PASSTHROUGH" ? undefined : "https";
    case "TLS":
      return passes ? "tls-passthrough" : tls?.mode === "AUTO_PASSTHROUGH" ? undefined : "tls";
    case "TCP":
    case "MONGO":
    case "REDIS":
    case "MYSQL":
      return tls?.mode === undefined ? "tcp" : "tls";
    default:
      return undefined;
  }
}

/** What a VirtualService and a server have in common, host by host: the narrower of two patterns. */
export function sharedHosts(virtualService: VirtualService, { gateway, server }: BoundServer, clusterDomain: string): readonly string[] {
  const shared = new Set<string>();
  for (const pattern of server.hosts) {
    const { namespace, host } = splitHost(pattern, gateway.namespace, clusterDomain);
    if (namespace !== "*" && namespace !== virtualService.namespace) continue;
    for (const own of virtualService.hosts) {
      const both = intersectHosts(host, own);
      if (both !== undefined) shared.add(both);
    }
  }
  return [...shared];
}

/** Hosts of a server without the namespaces in front. */
export function serverHosts({ gateway, server }: BoundServer, clusterDomain: string): readonly string[] {
  return [...new Set(server.hosts.map((pattern) => splitHost(pattern, gateway.namespace, clusterDomain).host))];
}

/** `host`, `namespace/host`, `./host` (the Gateway's own namespace), `*` + `/host`. */
function splitHost(pattern: string, own: string, clusterDomain: string): { readonly namespace: string; readonly host: string } {
  const slash = pattern.indexOf("/");
  const namespace = slash < 0 ? "*" : pattern.slice(0, slash);
  return { namespace: namespace === "." ? own : namespace, host: qualifyHost(pattern.slice(slash + 1), own, clusterDomain) };
}

function isForeign({ namespace }: Gateway, { settings, proxy }: Scope): boolean {
  return settings.profile === "zero-trust" && namespace !== proxy.namespace && namespace !== settings.rootNamespace;
}

function foreignGateway({ namespace, name, origin }: Gateway, proxyNamespace: string): Finding {
  return {
    code: "KMK3003",
    message: `Gateway "${name}" opens no ports of the gateway proxies of namespace "${proxyNamespace}": it belongs to namespace "${namespace}"`,
    help: `move the Gateway to namespace "${proxyNamespace}", beside the proxies that carry it out`,
    origin: { ref: origin.ref, path: ["spec", "selector"] },
  };
}
