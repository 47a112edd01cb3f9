import type { Call } from "../document.ts";
import type { TestMesh } from "../test-mesh.ts";
import type { Beginning } from "../to-request.ts";
import type { TestAuthorities } from "./authorities.ts";
import type { ClientOrder } from "./exchange.ts";
import type { Sender } from "./lab.ts";

/** A client waits longer than any proxy does by default. */
const PATIENCE_MS = 30_000;

export interface Orders {
  readonly sender: Sender;
  /** In the order in which they are sent; where the client itself chooses among endpoints, in turn, and each one once at least. */
  readonly orders: readonly ClientOrder[];
}

/** What the client of a call is told to send. */
export function toClientOrders(call: Call, beginnings: readonly Beginning[], mesh: TestMesh, authorities: TestAuthorities): Orders {
  const made = beginnings.map(({ request }) => toOrder(call, request, mesh, authorities));
  const first = beginnings[0]?.request;
  const sender: Sender = first?.from.kind === "workload" ? { workload: first.from.workload } : "outside";
  const count = made.length === 0 ? 0 : Math.max(call.request.repeat, made.length);
  return { sender, orders: Array.from({ length: count }, (_, i) => made[i % made.length]).filter((order) => order !== undefined) };
}

function toOrder(
  { from, request: { body }, expect }: Call,
  request: Beginning["request"],
  mesh: TestMesh,
  authorities: TestAuthorities,
): ClientOrder {
  const { protocol, destination, tls, method, authority, path, headers, sourceAddress } = request;
  const certificate = tls?.clientCertificate === undefined ? undefined : authorities.client(from, request.from.workload, mesh);
  return {
    protocol,
    destination,
    ...(from.kind !== "workload" && { localAddress: sourceAddress }),
    ...(tls !== undefined && { tls: { ...(tls.sni !== undefined && { sni: tls.sni }), alpn: tls.alpn, ...certificate } }),
    method,
    authority,
    path,
    headers,
    body,
    timeoutMs: PATIENCE_MS + (expect.delayMs?.max ?? 0),
  };
}
