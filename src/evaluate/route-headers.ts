import type { Route, RouteAction } from "../gen/envoy/config/route/v3/route_components_pb.js";
import { changeHeaders, type HeaderChange } from "./header-change.ts";
import type { Exchange } from "./http-chain.ts";
import { type HeaderLines, type HttpMessage, valuesOf } from "./http-message.ts";
import { lowerAscii } from "./string-match.ts";
import { type Branch, weigh } from "./trail.ts";
import { Undecidable } from "./undecidable.ts";

/** An answer that a filter gives itself, with what the route that was found does to the headers of every response. */
export function answerOnRoute(branches: readonly Branch[], exchange: Pick<Exchange, "message" | "routing">): readonly Branch[] {
  const route = exchange.routing.found?.route;
  if (route?.action.case !== "route") return branches;
  const outer = [changesOf(route), ...outerChanges(exchange)];
  return destinationsOf(route.action.value, exchange.message).flatMap(({ share, changes }) => {
    const all = [...(changes === undefined ? [] : [changes]), ...outer];
    return weigh(
      share,
      withResponseHeaders(
        branches,
        all.map(({ response }) => response),
      ),
    );
  });
}

export interface Changes {
  readonly request: HeaderChange;
  readonly response: HeaderChange;
}

type WithChanges = Pick<Route, "requestHeadersToAdd" | "requestHeadersToRemove" | "responseHeadersToAdd" | "responseHeadersToRemove">;

export function changesOf(from: WithChanges): Changes {
  return {
    request: { add: from.requestHeadersToAdd, remove: from.requestHeadersToRemove },
    response: { add: from.responseHeadersToAdd, remove: from.responseHeadersToRemove },
  };
}

/** Host's and table's, in Envoy's order: what is nearest to the request first. */
export function outerChanges({ routing }: Pick<Exchange, "routing">): readonly Changes[] {
  const outer = [...(routing.host === undefined ? [] : [routing.host]), routing.routes].map(changesOf);
  return routing.routes.mostSpecificHeaderMutationsWins ? outer.toReversed() : outer;
}

export interface Destination {
  readonly cluster: string;
  readonly share: number;
  readonly changes?: Changes;
}

/** Where a route sends to, each with its share. */
export function destinationsOf({ clusterSpecifier: to }: RouteAction, message: HttpMessage): readonly Destination[] {
  switch (to.case) {
    case "cluster":
      return [{ cluster: to.value, share: 1 }];
    case "clusterHeader":
      return [{ cluster: valuesOf(message, lowerAscii(to.value))[0] ?? "", share: 1 }];
    case "weightedClusters": {
      const total = to.value.clusters.reduce((sum, { weight = 0 }) => sum + weight, 0);
      return to.value.clusters
        .filter(({ weight = 0 }) => weight > 0)
        .map((cluster) => {
          if (cluster.name === "" || cluster.hostRewriteSpecifier.case !== undefined)
            throw new Undecidable("a weighted cluster without a name");
          return { cluster: cluster.name, share: (cluster.weight ?? 0) / total, changes: changesOf(cluster) };
        });
    }
    default:
      throw new Undecidable(`cluster by ${to.case ?? "nothing"}`);
  }
}

export function withResponseHeaders(branches: readonly Branch[], changes: readonly HeaderChange[]): readonly Branch[] {
  return branches.map((branch) => {
    const { end } = branch;
    if (end.kind !== "response") return branch;
    const start: { headers: HeaderLines; generated: readonly string[] } = { headers: end.reply.headers, generated: [] };
    const { headers } = changes.reduce((given, change) => changeHeaders(given, change), start);
    return { ...branch, end: { ...end, reply: { ...end.reply, headers } } };
  });
}
