import { create } from "@bufbuild/protobuf";
import {
  RedirectActionSchema,
  type Route,
  type RouteAction,
  RouteAction_ClusterNotFoundResponseCode as NotFound,
} from "../gen/envoy/config/route/v3/route_components_pb.js";
import { candidatesOf, findCluster } from "./cluster.ts";
import type { ResponseOutcome } from "./decision.ts";
import { changeHeaders } from "./header-change.ts";
import type { Exchange } from "./http-chain.ts";
import { type HttpMessage, isGrpc } from "./http-message.ts";
import { withCopiesAtRisk, withMirrors } from "./mirror.ts";
import { redirectOf } from "./redirect.ts";
import { changesOf, type Destination, destinationsOf, outerChanges, withResponseHeaders } from "./route-headers.ts";
import { rewrite } from "./rewrite.ts";
import { type Branch, guarded, localReply, step, weigh } from "./trail.ts";
import { Undecidable } from "./undecidable.ts";
import { asAttempt, limitsOf, sendWithRetries } from "./upstream-request.ts";

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
  const sending = { action, host: routing.host, exchange: { ...exchange, message: ready, trail }, cluster: found };
  const limits = limitsOf(sending);
  // Without an endpoint for the request itself there is no copy either.
  const isServed = candidatesOf(site, found, exchange.connection.destination).length > 0;
  const first = { ...sending.exchange, message: asAttempt(sending, limits, 1) };
  const mirrored = isServed ? withMirrors(action, first, limits.timeoutMs) : trail;
  const branches = sendWithRetries({ ...sending, exchange: { ...sending.exchange, trail: mirrored } }, limits);
  return withResponseHeaders(withCopiesAtRisk(branches, first), responses);
}
