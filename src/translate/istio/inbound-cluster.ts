import { formatClusterName } from "../../ir/cluster-name.ts";
import type { Cluster } from "../../ir/cluster.ts";
import { isHttp, isHttp2 } from "../../model/service.ts";
import type { InboundInputs } from "./inbound.ts";
import type { InboundPort } from "./inbound-ports.ts";

/** Capture lets connections from this address pass to the application (Istio's choice). */
const OWN_SOURCE = "127.0.0.6";

/** From the sidecar to its own application: where the caller wanted to go, or the loopback port where nothing captures traffic. */
export function toInboundCluster(port: InboundPort, { capture, settings }: Pick<InboundInputs, "capture" | "settings">): Cluster {
  const name = formatClusterName({ direction: "inbound", port: port.port, subset: "", host: "" });
  const common = { name, connectTimeoutMs: settings.connectTimeoutMs, protocol: protocolOf(port), origin: [port.origin] } as const;
  if (capture === "redirect") {
    return { ...common, discovery: { kind: "original-destination" }, loadBalancing: { kind: "passthrough" }, bindAddress: OWN_SOURCE };
  }
  const endpoint = { address: "127.0.0.1", port: port.appPort ?? port.port, weight: 1, health: "healthy", mutualTls: false } as const;
  const endpoints = { cluster: name, localities: [{ locality: "", priority: 0, endpoints: [endpoint] }], origin: [port.origin] };
  return { ...common, discovery: { kind: "static", endpoints }, loadBalancing: { kind: "round-robin" } };
}

function protocolOf({ protocol }: InboundPort): Cluster["protocol"] {
  if (protocol === "auto") return "as-downstream";
  if (isHttp2(protocol)) return "http2";
  return isHttp(protocol) ? "http1" : "tcp";
}
