import { BLACK_HOLE, formatClusterName } from "../../ir/cluster-name.ts";
import { type DestinationRule, type Finding, type MeshSettings, qualifyHost, type VirtualService } from "../../mesh/index.ts";
import type { JsonPath } from "../../model/position.ts";
import { formatRef } from "../../model/resource.ts";
import type { Service } from "../../model/service.ts";

/** What a VirtualService's destinations can be, as one group of clients sees them. */
export interface Destinations {
  readonly settings: MeshSettings;
  serviceOf(host: string): Service | undefined;
  ruleFor(service: Service): DestinationRule | undefined;
}

export interface DestinationSpec {
  readonly host: string;
  readonly port?: { readonly number?: number };
  readonly subset?: string;
}

export interface FoundDestination {
  readonly cluster: string;
  readonly service?: Service;
  readonly finding?: Finding;
}

/**
 * The cluster of a destination. One that doesn't exist goes to BlackHoleCluster, so that requests to it, and only those, are answered 503.
 * Without a port it is the service's only one, else the port that the client called (Istio's rule).
 */
export function findDestination(
  spec: DestinationSpec,
  from: VirtualService,
  path: JsonPath,
  calledPort: number,
  destinations: Destinations,
): FoundDestination {
  const host = qualifyHost(spec.host, from.namespace, destinations.settings.clusterDomain);
  const missing = (message: string, help: string, field: string): FoundDestination => ({
    cluster: BLACK_HOLE,
    finding: { code: "IST0101", message, help, origin: { ref: from.origin.ref, path: [...path, field] } },
  });
  const service = destinations.serviceOf(host);
  if (service === undefined) {
    return missing(
      `no service has the host "${host}"; requests to it are answered 503`,
      "correct the host, or declare a Service or ServiceEntry",
      "host",
    );
  }
  const only = service.ports.length === 1 ? service.ports[0]?.number : undefined;
  const port = spec.port?.number ?? only ?? calledPort;
  if (!service.ports.some(({ number }) => number === port)) {
    const known = service.ports.map(({ number }) => number).join(", ");
    return missing(
      `"${host}" has no port ${port}; requests to it are answered 503`,
      `choose one of its ports: ${known}`,
      spec.port === undefined ? "host" : "port",
    );
  }
  const subset = spec.subset ?? "";
  const rule = destinations.ruleFor(service);
  if (subset !== "" && !(rule?.subsets.some(({ name }) => name === subset) ?? false)) {
    return missing(`subset "${subset}" of "${host}" doesn't exist; requests to it are answered 503`, subsetHelp(rule), "subset");
  }
  return { cluster: formatClusterName({ direction: "outbound", port, subset, host }), service };
}

function subsetHelp(rule: DestinationRule | undefined): string {
  if (rule === undefined) return "declare a DestinationRule with this subset in the host's namespace";
  const [first] = rule.origin;
  return `declare it in ${first === undefined ? "the DestinationRule" : formatRef(first.ref)}; known there: ${rule.subsets.map(({ name }) => name).join(", ") || "none"}`;
}
