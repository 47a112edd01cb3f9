import type { RouteConfiguration } from "../gen/envoy/config/route/v3/route_pb.js";
import type { VirtualHost } from "../gen/envoy/config/route/v3/route_components_pb.js";
import { lowerAscii } from "./string-match.ts";

interface Table {
  readonly exact: ReadonlyMap<string, number>;
  /** `*.example.com` without the star, longest first. */
  readonly suffixes: readonly (readonly [string, number])[];
  /** `example.*` without the star, longest first. */
  readonly prefixes: readonly (readonly [string, number])[];
  readonly rest: number | undefined;
}

const tables = new WeakMap<RouteConfiguration, Table>();

/** Envoy's order: the exact name, the longest `*.suffix`, the longest `prefix.*`, `*`; whatever the case. A star stands for one character or more. */
export function findVirtualHost(
  routes: RouteConfiguration,
  authority: string,
): { readonly index: number; readonly host: VirtualHost } | undefined {
  let table = tables.get(routes);
  if (table === undefined) {
    table = tableOf(routes);
    tables.set(routes, table);
  }
  const name = lowerAscii(routes.ignorePortInHostMatching ? withoutPort(authority) : authority);
  const index =
    table.exact.get(name) ??
    table.suffixes.find(([suffix]) => name.length > suffix.length && name.endsWith(suffix))?.[1] ??
    table.prefixes.find(([prefix]) => name.length > prefix.length && name.startsWith(prefix))?.[1] ??
    table.rest;
  const host = index === undefined ? undefined : routes.virtualHosts[index];
  return index === undefined || host === undefined ? undefined : { index, host };
}

function tableOf(routes: RouteConfiguration): Table {
  const exact = new Map<string, number>();
  const suffixes: [string, number][] = [];
  const prefixes: [string, number][] = [];
  let rest: number | undefined;
  for (const [i, { domains }] of routes.virtualHosts.entries()) {
    for (const domain of domains.map(lowerAscii)) {
      if (domain === "*") rest ??= i;
      else if (domain.startsWith("*")) suffixes.push([domain.slice(1), i]);
      else if (domain.endsWith("*")) prefixes.push([domain.slice(0, -1), i]);
      else if (!exact.has(domain)) exact.set(domain, i);
    }
  }
  const longestFirst = ([a]: [string, number], [b]: [string, number]) => b.length - a.length;
  return { exact, suffixes: suffixes.sort(longestFirst), prefixes: prefixes.sort(longestFirst), rest };
}

/** Without `:80` at the end; brackets of an IPv6 address stay. */
export function withoutPort(authority: string): string {
  return portStart(authority) === -1 ? authority : authority.slice(0, portStart(authority));
}

/** Where `:PORT` begins, -1 where there is none. */
export function portStart(authority: string): number {
  const colon = authority.lastIndexOf(":");
  if (colon === -1 || authority.indexOf("]", colon) !== -1) return -1;
  const isIpv6WithoutBrackets = authority.indexOf(":") !== colon && !authority.startsWith("[");
  return !isIpv6WithoutBrackets && /^\d{1,5}$/.test(authority.slice(colon + 1)) ? colon : -1;
}
