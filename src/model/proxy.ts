/** One Envoy, as its node id and metadata (Istio's) describe it: all that translation may read of a proxy. */
export interface Proxy {
  /** Istio's node id: `sidecar~10.244.0.7~users-1.shop~shop.svc.cluster.local`. */
  readonly id: string;
  readonly type: "sidecar" | "router";
  readonly name: string;
  readonly namespace: string;
  /** The workload's addresses, IPv4 first; chooses its own workload among those of the mesh. */
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly cluster: string;
  readonly network: string;
  readonly locality: string;
  /** Envoy's version as it says it, `1.40.0`; empty where unknown. */
  readonly version: string;
  /**
   * How traffic gets to the proxy. `redirect`: iptables to 15001 and 15006 (INTERCEPTION_MODE REDIRECT). `none`: explicit local ports, where
   * the system has no namespaces: the proxy binds one loopback port for each destination in `localPorts`.
   */
  readonly capture: "redirect" | "none";
  /** `host:port` of a service to the loopback port that stands for it; only with capture `none`. */
  readonly localPorts: Readonly<Record<string, number>>;
  /** Host of a service to the loopback address that stands for it, on which `localPorts` are bound; 127.0.0.1 for those that are not named. */
  readonly localAddresses: Readonly<Record<string, string>>;
  /** `host:port` outside of the mesh to the port on which what its name leads to takes connections for it; the same one where none is named. */
  readonly outsidePorts: Readonly<Record<string, number>>;
  /** The proxy answers its workload's DNS queries (DNS_CAPTURE). */
  readonly dnsCapture: boolean;
}
