import type { Document } from "./document.ts";
import type { Draw } from "./draw.ts";
import { OUTSIDE_RANGE } from "./topology.ts";

const SUBSETS = ["v1", "v2"].map((version) => ({ name: version, labels: { version } }));

function document(kind: string, namespace: string, name: string, spec: unknown): Document {
  return { apiVersion: "networking.istio.io/v1", kind, metadata: { namespace, name }, spec };
}

/** Subsets of `users`, and how others are spoken to. */
export function drawDestinationRules(draw: Draw): readonly Document[] {
  const rules: Document[] = [];
  if (draw.chance(92)) {
    const subsets = SUBSETS.map((subset) => ({ ...subset, ...draw.maybe(10, () => ({ trafficPolicy: drawTrafficPolicy(draw) })) }));
    rules.push(
      document("DestinationRule", "shop", "users", {
        host: draw.one(["users", "users.shop.svc.cluster.local"]),
        subsets,
        ...draw.maybe(35, () => ({ trafficPolicy: drawTrafficPolicy(draw) })),
      }),
    );
  }
  for (const host of draw.some(["orders.shop.svc.cluster.local", "store.data.svc.cluster.local", "legacy.data.svc.cluster.local"], 0, 1))
    rules.push(document("DestinationRule", "shop", host.split(".")[0] ?? "", { host, trafficPolicy: drawTrafficPolicy(draw) }));
  if (draw.chance(25))
    rules.push(
      document("DestinationRule", "shop", "api", {
        host: "api.example.com",
        trafficPolicy: { tls: { mode: "SIMPLE", sni: "api.example.com" } },
      }),
    );
  return rules;
}

function drawTrafficPolicy(draw: Draw): object {
  const tls = () => ({ tls: { mode: draw.one(["DISABLE", "SIMPLE", "ISTIO_MUTUAL", "ISTIO_MUTUAL", "ISTIO_MUTUAL"]) } });
  const loadBalancer = () => ({
    loadBalancer: draw.one([
      { simple: "ROUND_ROBIN" },
      { simple: "RANDOM" },
      { simple: "LEAST_REQUEST" },
      { consistentHash: { httpHeaderName: "x-user" } },
      { consistentHash: { useSourceIp: true } },
    ]),
  });
  return draw.weighted<object>([
    [4, tls],
    [4, loadBalancer],
    [1, () => ({ connectionPool: { http: { h2UpgradePolicy: "UPGRADE" } } })],
    [1, () => ({ portLevelSettings: [{ port: { number: 80 }, ...tls() }] })],
  ]);
}

export function drawServiceEntries(draw: Draw): readonly Document[] {
  const entries: Document[] = [];
  if (draw.chance(75))
    entries.push(
      document("ServiceEntry", "shop", "api", {
        hosts: ["api.example.com"],
        location: "MESH_EXTERNAL",
        resolution: draw.one(["DNS", "DNS", "NONE"]),
        ports: [
          { number: 80, name: "http", protocol: "HTTP", ...draw.maybe(15, () => ({ targetPort: 443 })) },
          { number: 443, name: "tls", protocol: draw.one(["TLS", "HTTPS"]) },
        ],
      }),
    );
  if (draw.chance(40))
    entries.push(
      document("ServiceEntry", "data", "cdn", {
        hosts: ["*.cdn.example.com"],
        location: "MESH_EXTERNAL",
        resolution: "NONE",
        ports: [
          { number: 443, name: "tls", protocol: "TLS" },
          { number: 80, name: "http", protocol: "HTTP" },
        ],
      }),
    );
  if (draw.chance(40))
    entries.push(
      document("ServiceEntry", "shop", "range", {
        hosts: [OUTSIDE_RANGE.name],
        addresses: [OUTSIDE_RANGE.range],
        location: "MESH_EXTERNAL",
        resolution: "NONE",
        ports: [{ number: OUTSIDE_RANGE.port, name: "any", protocol: draw.one(["TLS", "TLS", "TCP"]) }],
      }),
    );
  return entries;
}

/** Which host each server of the gateway takes; TLS Secrets are the harness's own. */
export function drawGateway(draw: Draw): Document {
  const hosts = () =>
    draw.one([
      ["shop.example.com"],
      ["*.example.com"],
      ["*"],
      ["*"],
      ["*"],
      ["*"],
      ["*"],
      ["*"],
      ["shop.example.com", "api.shop.example.com"],
      ["shop/*.example.com"],
    ]);
  const http = (number: number) => ({
    port: { number, name: `http-${number}`, protocol: "HTTP" },
    hosts: hosts(),
    ...draw.maybe(number === 80 ? 20 : 0, () => ({ tls: { httpsRedirect: true } })),
  });
  const https = (mode: string, host: readonly string[]) => ({
    port: { number: 443, name: `https-${mode.toLowerCase().replace("_", "-")}`, protocol: "HTTPS" },
    hosts: host,
    tls: {
      mode,
      credentialName: `cred-${mode.toLowerCase().replace("_", "-")}`,
      ...draw.maybe(20, () => ({ minProtocolVersion: "TLSV1_3" })),
    },
  });
  const servers = [
    http(80),
    ...(draw.chance(85)
      ? [https("SIMPLE", draw.one([["shop.example.com"], ["*.example.com"], ["shop.example.com", "api.shop.example.com"]]))]
      : []),
    ...(draw.chance(50) ? [https(draw.one(["MUTUAL", "OPTIONAL_MUTUAL"]), ["partner.example.com"])] : []),
    ...(draw.chance(45)
      ? [
          {
            port: { number: 443, name: "tls", protocol: "TLS" },
            hosts: [draw.one(["vault.example.com", "*.example.com"])],
            tls: { mode: "PASSTHROUGH" },
          },
        ]
      : []),
    ...(draw.chance(45) ? [{ port: { number: 5432, name: "tcp", protocol: "TCP" }, hosts: ["*"] }] : []),
    ...(draw.chance(20) ? [http(9090)] : []),
  ];
  return document("Gateway", "istio-system", "public", {
    selector: { istio: "ingressgateway" },
    servers: draw.chance(95) ? servers : servers.slice(1),
  });
}

export function drawMeshConfig(draw: Draw, providers: readonly object[]): readonly Document[] {
  const lines = [
    ...(providers.length > 0 ? [`extensionProviders: ${JSON.stringify(providers)}`] : []),
    ...(draw.chance(40) ? [`outboundTrafficPolicy: {mode: ${draw.one(["REGISTRY_ONLY", "ALLOW_ANY"])}}`] : []),
    ...(draw.chance(40)
      ? [`pathNormalization: {normalization: ${draw.one(["NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"])}}`]
      : []),
  ];
  if (lines.length === 0) return [];
  return [
    { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "istio-system", name: "istio" }, data: { mesh: lines.join("\n") } },
  ];
}
