import type { RouteAction } from "../gen/envoy/config/route/v3/route_components_pb.js";
import type { Proxy } from "../model/proxy.ts";
import { connectThrough, findCluster } from "./cluster.ts";
import type { ResponseOutcome, WorkloadRef } from "./decision.ts";
import { shareOf } from "./fault.ts";
import type { Exchange } from "./http-chain.ts";
import { type HttpMessage, isWebSocket, valueOf, withHeader } from "./http-message.ts";
import { asOwnRequest } from "./own-request.ts";
import { type Branch, step, type Trail } from "./trail.ts";
import { Undecidable } from "./undecidable.ts";

/** `message` as its first attempt is sent, within `timeoutMs` (0: any). Copies go their own way; what becomes of them changes nothing for the caller. */
export function withMirrors({ requestMirrorPolicies }: RouteAction, exchange: Exchange, timeoutMs: number): Trail {
  let { trail } = exchange;
  for (const { cluster, clusterHeader, runtimeFraction } of requestMirrorPolicies) {
    if (clusterHeader !== "") throw new Undecidable("a mirror whose cluster a header names");
    const share = runtimeFraction === undefined ? 1 : shareOf(runtimeFraction.defaultValue);
    const found = findCluster(exchange.site, cluster);
    if (share === 0 || found === undefined) continue;
    const own = asOwnRequest(withSender(exchange.message, exchange.site.proxy), timeoutMs);
    const copy = { ...own, authority: shadowHost(own.authority) };
    const { alpnFrom: _, ...asItsClient } = exchange;
    const ways = connectThrough({ ...asItsClient, message: copy, trail: { ...trail, arrivedMs: [], mirrors: [] } }, found, new Set());
    const targets = ways.flatMap(({ branch }) => {
      const { end } = branch;
      if (end.kind === "undecided") throw new Undecidable(end.at);
      return end.kind === "response" && end.reply.by === "application" && end.reply.to !== undefined
        ? [{ target: end.reply.to, share: share * branch.share }]
        : [];
    });
    const detail = `${cluster} gets a copy of ${share * 100} %`;
    trail = {
      ...step(trail, exchange.site, "mirror", { resource: found.resource, detail }),
      mirrors: [...trail.mirrors, ...merged(targets)],
    };
  }
  return trail;
}

/**
 * A copy goes out beside the request, and is broken off with it. A WebSocket's handshake never ends it, so that its client breaks it off; a request with a
 * body larger than this proxy's buffer may be refused before the rest has come, while an application answers when it has all. Where the answer takes its
 * time, the copy has long arrived.
 */
export function withCopiesAtRisk(branches: readonly Branch[], { message, bufferBytes, trail: before }: Exchange): readonly Branch[] {
  const isUpgrade = isWebSocket(message);
  if (!isUpgrade && (message.body?.length ?? 0) <= bufferBytes) return branches;
  return branches.map((branch): Branch => {
    const { end, trail } = branch;
    const isWhole = !isUpgrade && end.kind === "response" && end.reply.by === "application";
    if (isWhole || end.kind === "undecided" || trail.delayMs > before.delayMs || trail.mirrors.length === before.mirrors.length)
      return branch;
    return { ...branch, end: { kind: "undecided", at: "a copy of a request that may end before the copy has arrived", because: [] } };
  });
}

function merged(targets: Trail["mirrors"]): Trail["mirrors"] {
  const byName = new Map<string, ResponseOutcome["mirroredTo"][number]>();
  for (const { target, share } of targets) {
    const key = "external" in target ? target.external : nameOf(target);
    byName.set(key, { target, share: share + (byName.get(key)?.share ?? 0) });
  }
  return [...byName.values()];
}

function nameOf({ namespace, name }: WorkloadRef): string {
  return `${namespace}/${name}`;
}

/** Of a copy the proxy is the client: Envoy's async client appends its own address, whatever the request's own way says (AsyncStreamImpl). */
function withSender(message: HttpMessage, { addresses: [own] }: Proxy): HttpMessage {
  const before = valueOf(message, "x-forwarded-for");
  return own === undefined ? message : withHeader(message, "x-forwarded-for", before ? `${before},${own}` : own);
}

/** Envoy marks the host of a copy. */
function shadowHost(authority: string): string {
  const port = /:\d+$/.exec(authority)?.[0] ?? "";
  return `${authority.slice(0, authority.length - port.length)}-shadow${port}`;
}
