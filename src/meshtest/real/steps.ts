import { originsOf, type OriginTable, type Place, type ProxyLogLine, type Step, type Verdict } from "../../evaluate/index.ts";

/** The way of a request as the proxies' logs tell it, with what each thing in them came from. */
export function stepsOf(lines: readonly ProxyLogLine[], verdict: Verdict | undefined, table: OriginTable): readonly Step[] {
  return lines.flatMap((line) => {
    const proxy = `${line.workload.namespace}/${line.workload.name}`;
    const made: Step[] = [];
    const add = (what: string, detail: string | undefined, place: Place | undefined) => {
      if (detail !== undefined) made.push(toStep(proxy, what, detail, place));
    };
    const listener = table.listener(line);
    add("listener", line.listener, listener && { resource: listener, path: "" });
    add("filter chain", line.filterChain, table.filterChain(line));
    add("tls", line.peerPrincipal === undefined ? undefined : `peer ${line.peerPrincipal}`, table.filterChain(line));
    const route = line.of === "request" && (line.route ?? line.virtualHost) !== undefined ? table.route(line) : undefined;
    add("route", route && (line.virtualHost ?? route.path), route);
    const cluster = table.find(line.workload, "cluster", line.cluster);
    add("cluster", line.cluster, cluster && { resource: cluster, path: "" });
    const endpoint = table.find(line.workload, "endpoint", line.cluster);
    add("endpoint", line.upstreamHost, endpoint && { resource: endpoint, path: "" });
    add(line === verdict?.line ? "decision" : "answer", wordsOf(line, verdict), line === verdict?.line ? verdict.place : undefined);
    return made;
  });
}

function toStep(proxy: string, what: string, detail: string, place: Place | undefined): Step {
  return {
    what,
    proxy,
    ...(place !== undefined && { resource: { type: place.resource.type, name: place.resource.name, path: place.path } }),
    origins: place === undefined ? [] : originsOf(place),
    detail,
  };
}

function wordsOf(line: ProxyLogLine, verdict: Verdict | undefined): string | undefined {
  const status = (line.status ?? 0) > 0 ? `${line.status}` : undefined;
  const words =
    line === verdict?.line ? verdict.detail : [line.details, line.terminationDetails, line.flags].find((text) => text !== undefined);
  const all = [status, words].filter((text) => text !== undefined && text !== "");
  return all.length === 0 ? undefined : all.join(" ");
}
