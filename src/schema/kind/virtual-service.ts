import { isHeaderName } from "../../base/header-name.ts";
import { formatPath, type JsonPath } from "../../model/position.ts";
import type { VirtualServiceBody } from "../bodies.ts";
import type { Honoured } from "../honoured.ts";
import { isHostPattern, isIp, isPort } from "../names.ts";
import { type Report, wrong } from "../report.ts";
import type { KindRules } from "../rules.ts";
import { checkExportTo } from "./common.ts";

type Spec = NonNullable<VirtualServiceBody["spec"]>;
type Http = NonNullable<Spec["http"]>[number];
type Destination = { readonly host: string; readonly port?: { readonly number?: number }; readonly subset?: string };

const MOST_ATTEMPTS = 100;
const destination = { host: true, port: true, subset: true } as const;

const honoured: Honoured<VirtualServiceBody> = {
  spec: {
    exportTo: true,
    gateways: true,
    hosts: true,
    http: {
      corsPolicy: true,
      // Left out, and said, by translation.
      delegate: true,
      directResponse: true,
      fault: {
        abort: { grpcStatus: true, http2Error: false, httpStatus: true, percentage: true },
        delay: { exponentialDelay: false, fixedDelay: true, percent: true, percentage: true },
      },
      headers: true,
      match: {
        authority: true,
        gateways: true,
        headers: true,
        ignoreUriCase: true,
        method: true,
        name: true,
        port: true,
        queryParams: true,
        scheme: true,
        sourceLabels: true,
        sourceNamespace: true,
        statPrefix: false,
        uri: true,
        withoutHeaders: true,
      },
      mirror: true,
      mirror_percent: true,
      mirrorPercent: true,
      mirrorPercentage: true,
      mirrors: true,
      name: true,
      redirect: true,
      retries: {
        attempts: true,
        backoff: true,
        perTryTimeout: true,
        retryIgnorePreviousHosts: true,
        retryOn: true,
        retryRemoteLocalities: true,
      },
      rewrite: true,
      route: { destination, headers: true, weight: true },
      timeout: true,
    },
    tcp: {
      match: {
        destinationSubnets: true,
        gateways: true,
        port: true,
        sourceLabels: true,
        sourceNamespace: true,
        sourceSubnet: "other sources match too",
      },
      route: { destination, weight: true },
    },
    tls: {
      match: { destinationSubnets: true, gateways: true, port: true, sniHosts: true, sourceLabels: true, sourceNamespace: true },
      route: { destination, weight: true },
    },
  },
  status: true,
};

function check({ spec = {} }: VirtualServiceBody, report: Report): void {
  checkHosts(spec, report);
  checkExportTo(spec.exportTo, ["spec", "exportTo"], report);
  if (spec.http === undefined && spec.tcp === undefined && spec.tls === undefined)
    wrong(report, ["spec"], "the VirtualService has no http, tls or tcp routes");
  for (const [i, http] of (spec.http ?? []).entries()) checkHttp(http, ["spec", "http", i], report);
  for (const kind of ["tls", "tcp"] as const) {
    for (const [i, { route = [] }] of (spec[kind] ?? []).entries()) checkDestinations(route, ["spec", kind, i, "route"], report);
  }
  for (const [i, { match }] of (spec.tls ?? []).entries()) {
    for (const [j, { sniHosts }] of match.entries()) {
      for (const [k, host] of sniHosts.entries())
        checkSniHost(host, spec.hosts ?? [], ["spec", "tls", i, "match", j, "sniHosts", k], report);
    }
  }
}

function checkHosts(spec: Spec, report: Report): void {
  const hosts = spec.hosts ?? [];
  if (hosts.length === 0) wrong(report, ["spec", "hosts"], "the VirtualService has no hosts", "add the hosts whose traffic it routes");
  const toSidecars = spec.gateways === undefined || spec.gateways.length === 0 || spec.gateways.includes("mesh");
  for (const [i, host] of hosts.entries()) {
    const path = ["spec", "hosts", i];
    if (host === "*" && toSidecars)
      wrong(report, path, 'host "*" can\'t be used for the mesh, only for gateways', "name the hosts, or list gateways without mesh");
    else if (host !== "*" && !isHostPattern(host) && !isIp(host)) wrong(report, path, `${formatPath(path)} is no host name`);
    else if (hosts.indexOf(host) !== i) wrong(report, path, `host ${host} is listed twice`, "remove one of them");
  }
}

function checkSniHost(host: string, hosts: readonly string[], path: JsonPath, report: Report): void {
  if (host === "*" || !isHostPattern(host)) return wrong(report, path, `${formatPath(path)} is no host name`);
  const isCovered = hosts.some(
    (declared) => declared === "*" || declared === host || (declared.startsWith("*.") && host.endsWith(declared.slice(1))),
  );
  if (!isCovered) wrong(report, path, `${host} is none of the VirtualService's hosts`, "add it to spec.hosts");
}

function checkHttp(http: Http, path: JsonPath, report: Report): void {
  const actions = (["route", "redirect", "directResponse"] as const).filter(
    (name) => http[name] !== undefined && !(name === "route" && http.route?.length === 0),
  );
  if (actions.length > 1)
    wrong(report, path, `${formatPath(path)} has ${actions.join(" and ")}: a route does one thing`, "keep one of them");
  if (actions.length === 0 && http.delegate === undefined)
    wrong(report, path, `${formatPath(path)} has no route, redirect or directResponse`);
  checkDestinations(http.route ?? [], [...path, "route"], report);
  checkRedirect(http, path, report);
  const status = http.directResponse?.status;
  if (status !== undefined && (status < 200 || status > 599))
    wrong(report, [...path, "directResponse", "status"], `status ${status} is not between 200 and 599`);
  const attempts = http.retries?.attempts ?? 0;
  if (attempts < 0 || attempts > MOST_ATTEMPTS)
    wrong(report, [...path, "retries", "attempts"], `attempts must be between 0 and ${MOST_ATTEMPTS}`);
  const { match = [] } = http;
  for (const [i, { port, uri }] of match.entries()) {
    if (port !== undefined && port !== 0 && !isPort(port)) wrong(report, [...path, "match", i, "port"], `${port} is no port`);
    if (uri?.prefix === "" || uri?.exact === "" || uri?.regex === "")
      wrong(report, [...path, "match", i, "uri"], "an empty path matches nothing", "write / for every path");
  }
  checkHeaderNames(http, path, report);
}

function checkRedirect({ redirect }: Http, path: JsonPath, report: Report): void {
  if (redirect === undefined) return;
  const at = [...path, "redirect"];
  if (redirect.redirectCode !== undefined && redirect.redirectCode !== 0 && ![301, 302, 303, 307, 308].includes(redirect.redirectCode)) {
    wrong(report, [...at, "redirectCode"], `${redirect.redirectCode} is no redirect`, "use 301, 302, 303, 307 or 308");
  }
  if (redirect.scheme !== undefined && redirect.scheme !== "http" && redirect.scheme !== "https")
    wrong(report, [...at, "scheme"], "the scheme of a redirect is http or https");
}

/** A colon at the head is HTTP/2's; Envoy refuses operations on `host` and on those. */
function checkHeaderNames(http: Http, path: JsonPath, report: Report): void {
  const places = [
    { headers: http.headers, at: path },
    ...(http.route ?? []).map(({ headers }, i) => ({ headers, at: [...path, "route", i] })),
  ];
  for (const { headers, at } of places) {
    for (const side of ["request", "response"] as const) {
      const { set = {}, add = {}, remove = [] } = headers?.[side] ?? {};
      for (const name of [...Object.keys(set), ...Object.keys(add), ...remove]) {
        const isHost = side === "request" && /^(:authority|host)$/i.test(name) && !remove.includes(name) && !(name in add);
        if (!isHost && !isHeaderName(name))
          wrong(report, [...at, "headers", side], `${JSON.stringify(name.slice(0, 80))} is no header name`);
      }
    }
  }
}

function checkDestinations(
  routes: readonly { readonly destination: Destination; readonly weight?: number }[],
  path: JsonPath,
  report: Report,
): void {
  let total = 0;
  for (const [i, { destination: to, weight = 0 }] of routes.entries()) {
    if (weight < 0) wrong(report, [...path, i, "weight"], "a weight can't be negative");
    total += weight;
    if (to.host === "" || (!isHostPattern(to.host) && !isIp(to.host)) || to.host.startsWith("*"))
      wrong(report, [...path, i, "destination", "host"], "the destination's host is no host name");
    const port = to.port?.number;
    if (port !== undefined && !isPort(port)) wrong(report, [...path, i, "destination", "port", "number"], `${port} is no port`);
  }
  if (routes.length > 1 && total === 0)
    wrong(report, path, `the weights of ${formatPath(path)} are all 0`, "give each destination its share");
}

export const virtualService = { honoured, check } satisfies KindRules;
