import { MESH_HTTP_ALPN, MESH_TLS_ALPN } from "../../ir/alpn.ts";
import type { HttpConnection } from "../../ir/http-connection.ts";
import type { FilterChain, FilterChainMatch } from "../../ir/listener.ts";
import { INBOUND_SLOTS, INBOUND_TCP_SLOTS } from "../../ir/policy-slots.ts";
import type { RetryPolicy, RouteTable } from "../../ir/route.ts";
import type { TcpConnection } from "../../ir/tcp-connection.ts";
import type { ServerTls } from "../../ir/tls.ts";
import type { Origin } from "../../model/origin.ts";
import type { InboundInputs } from "./inbound.ts";
import type { MtlsMode } from "../../mesh/peer-authentication.ts";

/** Where one port's connections go and what they carry. */
export interface ChainTarget {
  readonly name: string;
  readonly cluster: string;
  readonly routeName: string;
  /** `auto`: neither the Service nor the Pod says. */
  readonly payload: "http" | "tcp" | "auto";
  readonly match: Pick<FilterChainMatch, "destinationPort">;
  readonly origin: readonly Origin[];
}

type Settings = Pick<InboundInputs, "trustDomains" | "settings">;

const PLAIN_HTTP: readonly string[] = ["http/1.0", "http/1.1", "h2c"];
/** What an Envoy offers by itself for HTTP; on a STRICT port all TLS is the mesh's. */
const HTTP_ALPN: readonly string[] = ["h2", "http/1.1"];
const MESH_BYTES_ALPN = MESH_TLS_ALPN.filter((word) => !MESH_HTTP_ALPN.includes(word));

/** The chains of one port, no two of which match the same connection. What none matches is closed: plaintext on a STRICT port, say. */
export function chainsOf(target: ChainTarget, mode: MtlsMode, inputs: Settings): readonly FilterChain[] {
  const tls = meshTls(target, inputs);
  switch (mode) {
    case "strict":
      return strictChains(target, tls);
    case "permissive":
      return [...meshChains(target, tls), ...plaintextChains(target)];
    case "disable":
      return disabledChains(target);
  }
}

function strictChains(target: ChainTarget, tls: ServerTls): readonly FilterChain[] {
  const { payload } = target;
  if (payload !== "auto") return [chain(target, "", { transportProtocol: "tls" }, connection(target, payload), tls)];
  return [
    chain(target, "-http", { transportProtocol: "tls", applicationProtocols: [...MESH_HTTP_ALPN, ...HTTP_ALPN] }, http(target), tls),
    chain(target, "-tcp", { transportProtocol: "tls" }, tcp(target), tls),
  ];
}

/** The mesh's TLS is told by its ALPN from TLS that is meant for the application. */
function meshChains(target: ChainTarget, tls: ServerTls): readonly FilterChain[] {
  const { payload } = target;
  if (payload !== "auto")
    return [chain(target, "", { transportProtocol: "tls", applicationProtocols: MESH_TLS_ALPN }, connection(target, payload), tls)];
  return [
    chain(target, "-http", { transportProtocol: "tls", applicationProtocols: MESH_HTTP_ALPN }, http(target), tls),
    chain(target, "-tcp", { transportProtocol: "tls", applicationProtocols: MESH_BYTES_ALPN }, tcp(target), tls),
  ];
}

function plaintextChains(target: ChainTarget): readonly FilterChain[] {
  const raw = { transportProtocol: "raw_buffer" } as const;
  if (target.payload === "http") return [chain(target, "-plaintext", raw, http(target))];
  const bytes = [
    chain(target, "-plaintext-tls", { transportProtocol: "tls" }, tcp(target)),
    chain(target, "-plaintext-tcp", raw, tcp(target)),
  ];
  if (target.payload === "tcp") return bytes;
  return [chain(target, "-plaintext-http", { ...raw, applicationProtocols: PLAIN_HTTP }, http(target)), ...bytes];
}

/** Envoy does not come back from a transport protocol that it has chosen: each of the two needs a chain for what turns out to be no HTTP. */
function disabledChains(target: ChainTarget): readonly FilterChain[] {
  if (target.payload !== "auto") return [chain(target, "", {}, connection(target, target.payload))];
  const raw = { transportProtocol: "raw_buffer" } as const;
  return [
    chain(target, "-http", { ...raw, applicationProtocols: PLAIN_HTTP }, http(target)),
    chain(target, "-tcp", raw, tcp(target)),
    chain(target, "-tls", { transportProtocol: "tls" }, tcp(target)),
  ];
}

/** Both sides show certificates, and the caller's name must be one of a trusted domain: an authority alone would vouch for too much. */
function meshTls({ payload }: ChainTarget, { trustDomains, settings }: Settings): ServerTls {
  return {
    certificateSecret: "default",
    clients: {
      kind: "required",
      trustSecret: "ROOTCA",
      names: trustDomains.map((domain) => ({ kind: "prefix", value: `spiffe://${domain}/` })),
    },
    minVersion: settings.profile === "zero-trust" ? "1.3" : "1.2",
    alpn: payload === "tcp" ? ["istio-peer-exchange", "istio"] : HTTP_ALPN,
  };
}

function chain(
  target: ChainTarget,
  suffix: string,
  match: FilterChainMatch,
  what: HttpConnection | TcpConnection,
  tls?: ServerTls,
): FilterChain {
  return {
    name: `${target.name}${suffix}`,
    match: { ...target.match, ...match },
    connection: what,
    origin: target.origin,
    ...(tls !== undefined && { tls }),
  };
}

function connection(target: ChainTarget, payload: "http" | "tcp"): HttpConnection | TcpConnection {
  return payload === "http" ? http(target) : tcp(target);
}

function http(target: ChainTarget): HttpConnection {
  return {
    kind: "http",
    statPrefix: `inbound_${target.name}`,
    role: "inbound",
    routes: { inline: catchAll(target) },
    codec: "auto",
    slots: INBOUND_SLOTS,
    websocketUpgrade: true,
  };
}

function tcp(target: ChainTarget): TcpConnection {
  return { kind: "tcp", statPrefix: target.cluster, destinations: [{ cluster: target.cluster, weight: 1 }], slots: INBOUND_TCP_SLOTS };
}

/**
 * An application may close a connection that it kept open just as the next request comes for it; what it hasn't got any of goes to it over another
 * one. As Istio since 1.24.
 */
const UNSENT_AGAIN: RetryPolicy = { attempts: 2, on: ["reset-before-request"], statusCodes: [], ignorePreviousHosts: false };

function catchAll({ routeName, cluster, origin }: ChainTarget): RouteTable {
  const route = {
    name: "default",
    match: { path: { kind: "prefix", value: "/" }, headers: [], query: [] },
    action: { kind: "forward", destinations: [{ cluster, weight: 1 }], timedByCaller: true, retry: UNSENT_AGAIN },
    origin,
  } as const;
  return { name: routeName, ignorePortInHost: true, virtualHosts: [{ name: routeName, domains: ["*"], routes: [route], origin }] };
}
