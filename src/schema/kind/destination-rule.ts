import type { JsonPath } from "../../model/position.ts";
import type { DestinationRuleBody } from "../bodies.ts";
import type { Honoured } from "../honoured.ts";
import { isHostPattern, isIp, isPort } from "../names.ts";
import { type Finding, type Report, wrong } from "../report.ts";
import type { Body, KindRules } from "../rules.ts";
import { checkExportTo, checkLabels, WITHDRAWN } from "./common.ts";
import { checkTls, stricterTls } from "./client-tls.ts";

type Spec = NonNullable<DestinationRuleBody["spec"]>;
type TrafficPolicy = NonNullable<Spec["trafficPolicy"]>;
type PortPolicy = NonNullable<TrafficPolicy["portLevelSettings"]>[number];

const portPolicy: Omit<Exclude<Honoured<PortPolicy>, boolean | string>, "port"> = {
  connectionPool: {
    http: {
      h2UpgradePolicy: true,
      http1MaxPendingRequests: true,
      http2MaxRequests: true,
      idleTimeout: true,
      maxConcurrentStreams: "a connection carries as many streams as the proxy takes",
      maxRequestsPerConnection: true,
      maxRetries: true,
      useClientProtocol: true,
    },
    tcp: { connectTimeout: true, idleTimeout: true, maxConnectionDuration: true, maxConnections: true, tcpKeepalive: true },
  },
  loadBalancer: {
    consistentHash: {
      httpCookie: { attributes: false, name: true, path: true, ttl: true },
      httpHeaderName: true,
      httpQueryParameterName: true,
      maglev: true,
      minimumRingSize: true,
      ringHash: true,
      useSourceIp: true,
    },
    localityLbSetting: false,
    simple: true,
    warmup: { aggression: false, duration: true, minimumPercent: false },
    warmupDurationSecs: true,
  },
  outlierDetection: {
    baseEjectionTime: true,
    consecutive5xxErrors: true,
    consecutiveErrors: true,
    consecutiveGatewayErrors: true,
    consecutiveLocalOriginFailures: true,
    interval: true,
    maxEjectionPercent: true,
    minHealthPercent: true,
    splitExternalLocalOriginErrors: true,
  },
  tls: {
    caCertificates: true,
    caCrl: WITHDRAWN,
    clientCertificate: false,
    credentialName: true,
    insecureSkipVerify: true,
    mode: true,
    privateKey: false,
    sni: true,
    subjectAltNames: true,
  },
};

const trafficPolicy: Honoured<TrafficPolicy> = {
  ...portPolicy,
  portLevelSettings: { ...portPolicy, port: true },
  proxyProtocol: false,
  retryBudget: "retries are bounded by their number only",
  tunnel: false,
};

const honoured: Honoured<DestinationRuleBody> = {
  spec: { exportTo: true, host: true, subsets: { labels: true, name: true, trafficPolicy }, trafficPolicy, workloadSelector: true },
  status: true,
};

function check({ spec }: DestinationRuleBody, report: Report): void {
  if (spec === undefined) return wrong(report, [], "spec is missing");
  if (spec.host !== "*" && !isHostPattern(spec.host) && !isIp(spec.host)) wrong(report, ["spec", "host"], "spec.host is no host name");
  checkExportTo(spec.exportTo, ["spec", "exportTo"], report);
  checkPolicy(spec.trafficPolicy, ["spec", "trafficPolicy"], report);
  const seen = new Set<string>();
  for (const [i, subset] of (spec.subsets ?? []).entries()) {
    const path = ["spec", "subsets", i];
    if (subset.name === "") wrong(report, [...path, "name"], "a subset needs a name");
    if (seen.has(subset.name))
      wrong(report, [...path, "name"], `subset ${JSON.stringify(subset.name)} is declared twice`, "rename or remove one of them");
    seen.add(subset.name);
    checkLabels(subset.labels, [...path, "labels"], report);
    checkPolicy(subset.trafficPolicy, [...path, "trafficPolicy"], report);
  }
}

function checkPolicy(policy: TrafficPolicy | undefined, path: JsonPath, report: Report): void {
  if (policy === undefined) return;
  checkSettings(policy, path, report);
  for (const [i, settings] of (policy.portLevelSettings ?? []).entries()) {
    const port = settings.port?.number;
    if (port === undefined || !isPort(port))
      wrong(report, [...path, "portLevelSettings", i, "port"], "port level settings need the number of a port");
    checkSettings(settings, [...path, "portLevelSettings", i], report);
  }
}

function checkSettings(
  { outlierDetection, connectionPool, tls }: Pick<TrafficPolicy, "outlierDetection" | "connectionPool" | "tls">,
  path: JsonPath,
  report: Report,
): void {
  for (const field of ["maxEjectionPercent", "minHealthPercent"] as const) {
    const percent = outlierDetection?.[field] ?? 0;
    if (percent < 0 || percent > 100) wrong(report, [...path, "outlierDetection", field], `${field} is a percentage, 0 to 100`);
  }
  const pool = { http: connectionPool?.http ?? {}, tcp: connectionPool?.tcp ?? {} };
  for (const side of ["http", "tcp"] as const) {
    for (const [field, value] of Object.entries(pool[side])) {
      if (typeof value === "number" && value < 0) wrong(report, [...path, "connectionPool", side, field], `${field} can't be negative`);
    }
  }
  if (tls !== undefined) checkTls(tls, [...path, "tls"], report);
}

/**
 * A rule whose TLS contradicts itself goes on asking for TLS, in the sense that checks more: without the rule connections would go out in
 * plaintext. What can't be done in that sense refuses its connections.
 */
function fallback(body: Body, isShaped: boolean): Body | undefined {
  const { spec } = body as DestinationRuleBody;
  if (!isShaped || spec === undefined) return undefined;
  const repaired: DestinationRuleBody = {
    spec: {
      ...spec,
      ...(spec.trafficPolicy !== undefined && { trafficPolicy: withStricterTls(spec.trafficPolicy) }),
      ...(spec.subsets !== undefined && {
        subsets: spec.subsets.map((subset) => ({
          ...subset,
          ...(subset.trafficPolicy !== undefined && { trafficPolicy: withStricterTls(subset.trafficPolicy) }),
        })),
      }),
    },
  };
  const others: Finding[] = [];
  check(repaired, (finding) => void (finding.path.includes("tls") || others.push(finding)));
  return others.some(({ code }) => code === "KMK1001") ? undefined : (repaired as Body);
}

function withStricterTls(policy: TrafficPolicy): TrafficPolicy {
  const { tls, portLevelSettings } = policy;
  return {
    ...policy,
    ...(tls !== undefined && { tls: stricterTls(tls) }),
    ...(portLevelSettings !== undefined && {
      portLevelSettings: portLevelSettings.map((own) => ({ ...own, ...(own.tls !== undefined && { tls: stricterTls(own.tls) }) })),
    }),
  };
}

export const destinationRule = { honoured, check, fallback } satisfies KindRules;
