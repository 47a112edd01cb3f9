import type { Decision, Outcome, Step } from "../../src/evaluate/index.ts";
import type { Route, RouteMatch } from "../../src/gen/envoy/config/route/v3/route_components_pb.js";
import type { VirtualHost } from "../../src/gen/envoy/config/route/v3/route_components_pb.js";
import type { TestMesh } from "../../src/meshtest/test-mesh.ts";

/** What may become of a request, as the histogram counts it. These must all be common. */
export const COMMON = [
  "no listener",
  "TLS refused",
  "JWT refused",
  "RBAC refused",
  "route missing",
  "no cluster",
  "redirect",
  "local answer",
  "TCP open",
  "200 by exact",
  "200 by prefix",
  "200 by regex",
  "200 by header",
  "200 by default",
] as const;
/** These happen near limits, and must come now and then. */
export const RARER = [
  "200 by an authorizer's leave",
  "refused by an authorizer",
  "no authorizer to ask",
  "too large for an authorizer",
  "too late",
  "too many headers",
] as const;
export type VerdictClass =
  | (typeof COMMON)[number]
  | (typeof RARER)[number]
  | "other status of an application"
  | "other status of a proxy"
  | "other end"
  | "undecided";

/** The class of what happens most often. */
export function classOf({ outcomes }: Decision, mesh: TestMesh): VerdictClass {
  const [first] = outcomes.toSorted((a, b) => b.share - a.share);
  if (first === undefined) return "other end";
  const { outcome } = first;
  switch (outcome.kind) {
    case "undecided":
      return "undecided";
    case "open":
      return "TCP open";
    case "response":
      return outcome.by === "application" ? classOfAnswer(outcome, mesh) : classOfReply(outcome);
    default:
      return classOfEnd(outcome);
  }
}

function classOfEnd(outcome: Outcome): VerdictClass {
  const last = outcome.steps.at(-1);
  if (outcome.because.some(isPolicy) && last?.what === "filter") return "RBAC refused";
  if (last?.what === "filter chain" || last?.what === "tls") return "TLS refused";
  if (last?.what === "cluster") return "no cluster";
  return outcome.kind === "refused" || last?.what === "endpoint" ? "no listener" : "other end";
}

function isPolicy(reason: Outcome["because"][number]): boolean {
  return reason === "Profile/zero-trust" || (typeof reason !== "string" && reason.ref.kind === "AuthorizationPolicy");
}

type Response = Extract<Outcome, { readonly kind: "response" }>;

function classOfReply(outcome: Response): VerdictClass {
  const { status, steps, because, grpcStatus, headers } = outcome;
  const [reason] = because;
  const details = steps.map(({ what, detail }) => `${what} ${detail}`);
  if (status === 413) return "too large for an authorizer";
  if (status === 431) return "too many headers";
  const asked = details.findLast((text) => text.startsWith("filter "));
  if (/: denied: /.test(asked ?? "")) return "refused by an authorizer";
  if (/ authorizer|: nobody is there$|: \S+ does not exist$/.test(asked ?? "")) return "no authorizer to ask";
  if (status === 504) return "too late";
  const isDenied = details.some((text) => /^filter .*: denied by/.test(text));
  if (reason !== undefined && typeof reason !== "string" && reason.ref.kind === "RequestAuthentication") return "JWT refused";
  if (isDenied) return "RBAC refused";
  if (headers.some(([name]) => name === "location")) return "redirect";
  const last = steps.at(-1);
  if (details.some((text) => /^cluster .* does not exist|^endpoint none is healthy|^cluster (BlackHole|PassthroughCluster)/.test(text)))
    return last?.detail.startsWith("BlackHole") ? "route missing" : "no cluster";
  if (details.some((text) => text.startsWith("tls "))) return "other status of a proxy";
  if (status === 404 || grpcStatus === "UNIMPLEMENTED") return isDirect(outcome) ? "local answer" : "route missing";
  if (isDirect(outcome)) return "local answer";
  return "other status of a proxy";
}

/** A route was found, and no cluster was asked for. */
function isDirect({ steps }: Response): boolean {
  return steps.some(({ what, detail }) => what === "route" && !detail.startsWith("no ")) && !steps.some(({ what }) => what === "cluster");
}

function classOfAnswer(outcome: Response, mesh: TestMesh): VerdictClass {
  if (outcome.status !== 200) return "other status of an application";
  if (outcome.steps.some(({ what, detail }) => what === "filter" && detail.endsWith(": allowed"))) return "200 by an authorizer's leave";
  const step = outcome.steps.find(({ what }) => what === "route");
  const match = step === undefined ? undefined : routeAt(step, mesh)?.match;
  return match === undefined ? "200 by default" : classOfMatch(match);
}

function classOfMatch({ pathSpecifier, headers, queryParameters }: RouteMatch): VerdictClass {
  if (pathSpecifier.case === "safeRegex") return "200 by regex";
  if (pathSpecifier.case === "path") return "200 by exact";
  if (pathSpecifier.case === "prefix" && pathSpecifier.value !== "/") return "200 by prefix";
  return headers.length > 0 || queryParameters.length > 0 ? "200 by header" : "200 by default";
}

/** The generated route that a step speaks of; undefined for one of a listener's own. */
function routeAt({ resource, proxy }: Step, mesh: TestMesh): Route | undefined {
  const [, host, route] = /^virtualHosts\[(\d+)\]\.routes\[(\d+)\]$/.exec(resource?.path ?? "") ?? [];
  const [namespace = "", name = ""] = proxy.split("/");
  const found = resource && mesh.proxyOf({ namespace, name })?.snapshot.get(resource.type)?.get(resource.name)?.message;
  const hosts = (found as { readonly virtualHosts?: readonly VirtualHost[] } | undefined)?.virtualHosts;
  return hosts?.[Number(host)]?.routes[Number(route)];
}
