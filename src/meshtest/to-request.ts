import type { Request } from "../evaluate/index.ts";
import { formatIdentity } from "../model/identity.ts";
import type { Call, Caller, RequestSpec } from "./document.ts";
import { formatMessage } from "./echo-program/grpc-message.ts";
import type { TestIssuers } from "./issuers.ts";
import type { TestMesh } from "./test-mesh.ts";
import { isTlsScheme, type Scheme } from "./request-url.ts";
import type { TestWorkload } from "./workloads.ts";

/** A client outside the mesh, where the test names no `clientIp`: TEST-NET-3 (RFC 5737). */
const CLIENT_ADDRESS = "203.0.113.10";

/** A way for a request to begin, and how often it does. */
export interface Beginning {
  readonly share: number;
  readonly request: Request;
}

export interface RequestInputs {
  readonly mesh: TestMesh;
  readonly issuers: TestIssuers;
  readonly nowMs: number;
}

/**
 * The request of a call as it leaves the client; a text is why it never leaves. It has several beginnings where no proxy chooses among a Service's
 * endpoints.
 */
export function toRequests(call: Call, workload: TestWorkload, inputs: RequestInputs): readonly Beginning[] | string {
  const { from, request } = call;
  const destinations = destinationsOf(from, request, workload, inputs.mesh);
  if (destinations.length === 0) return `${request.url.host} has no address that could be reached`;
  const { headers, path } = withTokens(request, inputs);
  const protocol = protocolOf(request.url.scheme, request.http2);
  const { kind } = from;
  return destinations.map((destination) => ({
    share: 1 / destinations.length,
    request: {
      from: { kind, workload: { namespace: workload.namespace, name: workload.name } },
      destination,
      protocol,
      ...(isTlsScheme(request.url.scheme) && { tls: tlsOf(call, protocol, workload, inputs.mesh) }),
      method: protocol === "grpc" && request.method === "GET" ? "POST" : request.method,
      authority: request.authority ?? request.url.authority,
      path,
      headers,
      ...bodyOf(protocol, request.body),
      ...(request.repeat > 1 && request.concurrency > 1 && { atOnce: Math.min(request.repeat, request.concurrency) }),
      sourceAddress: kind === "workload" ? workload.address : (from.clientIp ?? CLIENT_ADDRESS),
      nowMs: inputs.nowMs,
    },
  }));
}

/** A WebSocket's frames come when the request is over. */
function bodyOf(protocol: Request["protocol"], text: string): Pick<Request, "body"> {
  const body = protocol === "grpc" ? formatMessage(Buffer.from(text)) : Buffer.from(text);
  return protocol === "websocket" || body.length === 0 ? {} : { body };
}

type Destination = Request["destination"];

function destinationsOf(from: Caller, { url }: RequestSpec, workload: TestWorkload, { addresses, mesh }: TestMesh): readonly Destination[] {
  if (from.kind === "outside") return [{ address: workload.address, port: url.port }];
  if (from.kind === "gateway") return [{ address: workload.address, port: behindService(workload, url.port, mesh) }];
  if (workload.role === "none") return addresses.endpointsOf(url.host, url.port, workload.namespace);
  const address = addresses.resolve(url.host, workload.namespace);
  return address === undefined ? [] : [{ address, port: url.port }];
}

/** Where a Service stands in front of a gateway, clients use its ports. */
function behindService({ address }: TestWorkload, port: number, mesh: TestMesh["mesh"]): number {
  for (const service of mesh.services.all()) {
    if (service.kind !== "kubernetes" || !service.ports.some(({ number }) => number === port)) continue;
    const endpoint = mesh.endpoints.of(service).endpoints.find((known) => known.address === address);
    const target = endpoint?.ports.get(port);
    if (target !== undefined) return target.port;
  }
  return port;
}

function protocolOf(scheme: Scheme, http2: boolean): Request["protocol"] {
  switch (scheme) {
    case "grpc":
    case "grpcs":
      return "grpc";
    case "ws":
    case "wss":
      return "websocket";
    case "tcp":
    case "tls":
      return scheme;
    default:
      return http2 ? "http2" : "http1";
  }
}

const ALPN: Readonly<Record<Request["protocol"], readonly string[]>> = {
  http1: ["http/1.1"],
  websocket: ["http/1.1"],
  http2: ["h2"],
  grpc: ["h2"],
  tcp: [],
  tls: [],
};

function tlsOf(
  { from, request }: Call,
  protocol: Request["protocol"],
  workload: TestWorkload,
  { mesh }: TestMesh,
): NonNullable<Request["tls"]> {
  const sni = request.sni ?? (/^[\d.]+$|:/.test(request.url.host) ? undefined : request.url.host);
  const certificate = from.clientCert;
  const valid = formatIdentity({ trustDomain: mesh.settings.trustDomain, namespace: workload.namespace, serviceAccount: "client" });
  return {
    ...(sni !== undefined && { sni }),
    alpn: ALPN[protocol],
    ...(certificate !== undefined && {
      clientCertificate: {
        uri: certificate.startsWith("spiffe://") ? certificate : valid,
        trusted: certificate !== "wrong-ca",
        expired: certificate === "expired",
      },
    }),
  };
}

function withTokens({ url, rawPath, headers, tokens }: RequestSpec, { issuers, nowMs }: RequestInputs): Pick<Request, "headers" | "path"> {
  let path = rawPath ?? url.path;
  const all = [...headers];
  for (const token of tokens) {
    const text = issuers.sign(token, nowMs);
    if ("query" in token.place) path += `${path.includes("?") ? "&" : "?"}${token.place.query}=${text}`;
    else all.push([token.place.header, `${token.place.prefix}${text}`]);
  }
  return { headers: all, path };
}
