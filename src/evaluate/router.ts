import { create } from "@bufbuild/protobuf";
import {
  RedirectActionSchema,
  type Route,
  type RouteAction,
  RouteAction_ClusterNotFoundResponseCode as NotFound,
} from "../gen/envoy/config/route/v3/route_components_pb.js";
import type { Proxy } from "../model/proxy.ts";
import { candidatesOf, connectThrough, findCluster } from "./cluster.ts";
import type { ResponseOutcome, WorkloadRef } from "./decision.ts";
import { shareOf } from "./fault.ts";
import { changeHeaders } from "./header-change.ts";
import type { Exchange } from "./http-chain.ts";
import { type HttpMessage, isGrpc, valueOf, withHeader } from "./http-message.ts";
import { redirectOf } from "./redirect.ts";
import { changesOf, type Destination, destinationsOf, outerChanges, withResponseHeaders } from "./route-headers.ts";
import { rewrite } from "./rewrite.ts";
import { type Branch, guarded, localReply, step, type Trail, weigh } from "./trail.ts";
import { Undecidable } from "./undecidable.ts";
import { sendWithRetries } from "./upstream-request.ts";

/** The filter `router`: what the route says is done. */
export function forward(exchange: Exchange): readonly Branch[] {
  const { routing, message, trail } = exchange;
  const grpc = isGrpc(message);
  if (routing.redirectsToTls) return redirectToTls(exchange);
  const route = routing.found?.route;
  if (route === undefined) return localReply(trail, { status: 404, grpc, because: routing.because });
  const { action } = route;
  switch (action.case) {
    case "directResponse":
      return withResponseHeaders(
        localReply(trail, {
          status: action.value.status,
          grpc,
          because: routing.because,
          body: bodyOf(action.value.body?.specifier),
          headers: placeOf(action.value.status, route, message),
        }),
        [changesOf(route), ...outerChanges(exchange)].map(({ response }) => response),
      );
    case "redirect": {
      const { status, location } = redirectOf(action.value, route, message);
      const answer = localReply(trail, { status, grpc, because: routing.because, headers: [["location", location]] });
      return withResponseHeaders(
        answer,
        [changesOf(route), ...outerChanges(exchange)].map(({ response }) => response),
      );
    }
    case "route":
      return chooseCluster(route, action.value, exchange);
    default:
      throw new Undecidable(`route action ${action.case ?? "of no kind"}`);
  }
}

/** What was created, or has another place, is said to be where the client asked for it (RFC 9110, section 10.2.2). */
function placeOf(status: number, route: Route, message: HttpMessage): ResponseOutcome["headers"] {
  if (status !== 201 && (status < 300 || status > 399)) return [];
  return [["location", redirectOf(create(RedirectActionSchema), route, message).location]];
}

function redirectToTls({ message, routing, trail }: Exchange): readonly Branch[] {
  const headers = [["location", `https://${message.authority}${message.path}`]] as const;
  return localReply(trail, { status: 301, grpc: isGrpc(message), because: routing.because, headers });
}

function bodyOf(specifier: { readonly case: string | undefined; readonly value?: unknown } | undefined): string {
  if (specifier?.value instanceof Uint8Array) return Array.from(specifier.value, (byte) => String.fromCharCode(byte)).join("");
  return typeof specifier?.value === "string" ? specifier.value : "";
}

function chooseCluster(route: Route, action: RouteAction, exchange: Exchange): readonly Branch[] {
  if (
    exchange.routing.routes.mostSpecificHeaderMutationsWins ||
    action.internalRedirectPolicy !== undefined ||
    action.metadataMatch !== undefined
  )
    throw new Undecidable("a route's internal redirects, metadata or order of header changes");
  return destinationsOf(action, exchange.message).flatMap((destination) =>
    weigh(
      destination.share,
      guarded(exchange.trail, () => sendTo(destination, route, action, exchange)),
    ),
  );
}

function sendTo({ cluster, share, changes }: Destination, route: Route, action: RouteAction, exchange: Exchange): readonly Branch[] {
  const { site, routing, message } = exchange;
  const all = [...(changes === undefined ? [] : [changes]), changesOf(route), ...outerChanges(exchange)];
  const responses = all.map(({ response }) => response);
  const found = findCluster(site, cluster);
  const part = share === 1 ? "" : ` (${Math.round(share * 10_000) / 100} %)`;
  const detail = `${cluster}${found === undefined ? " does not exist" : ""}${part}`;
  const trail = step(exchange.trail, site, "cluster", { resource: found?.resource, detail });
  if (found === undefined) {
    const status =
      action.clusterNotFoundResponseCode === NotFound.NOT_FOUND
        ? 404
        : action.clusterNotFoundResponseCode === NotFound.INTERNAL_SERVER_ERROR
          ? 500
          : 503;
    const reply = localReply(trail, { status, grpc: isGrpc(message), because: routing.because });
    return withResponseHeaders(reply, responses);
  }
  const changed = all.reduce<Pick<HttpMessage, "headers" | "generated">>((given, { request }) => changeHeaders(given, request), message);
  const ready = rewrite(action, route.match, { ...message, ...changed });
  // Without an endpoint for the request itself there is no copy either.
  const isServed = candidatesOf(site, found, exchange.connection.destination).length > 0;
  const mirrored = isServed ? withMirrors(action, { ...exchange, message: ready, trail }) : trail;
  const branches = sendWithRetries({
    action,
    host: routing.host,
    exchange: { ...exchange, message: ready, trail: mirrored },
    cluster: found,
  });
  return withResponseHeaders(branches, responses);
}

/** Copies go their own way; what becomes of them changes nothing for the caller. */
function withMirrors({ requestMirrorPolicies }: RouteAction, exchange: Exchange): Trail {
  let { trail } = exchange;
  for (const { cluster, clusterHeader, runtimeFraction } of requestMirrorPolicies) {
    if (clusterHeader !== "") throw new Undecidable("a mirror whose cluster a header names");
    const share = runtimeFraction === undefined ? 1 : shareOf(runtimeFraction.defaultValue);
    const found = findCluster(exchange.site, cluster);
    if (share === 0 || found === undefined) continue;
    const copy = { ...withSender(exchange.message, exchange.site.proxy), authority: shadowHost(exchange.message.authority) };
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

function merged(targets: Trail["mirrors"]): Trail["mirrors"] {
  const byName = new Map<string, Trail["mirrors"][number]>();
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
