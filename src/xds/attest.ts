import { isIp } from "../base/index.ts";
import type { IndexedWorkload } from "../mesh/index.ts";
import { formatIdentity } from "../model/identity.ts";
import type { Proxy } from "../model/proxy.ts";
import type { Peer } from "./peer.ts";

/** Where the workloads are that the mesh's resources declare. */
export interface DeclaredWorkloads {
  named(namespace: string, name: string): IndexedWorkload | undefined;
}

/**
 * The proxy that a peer is, or why it is none. Over mTLS a node only points at a workload: it must be declared (a Pod or WorkloadEntry),
 * run as the identity of the certificate, and have a proxy of the type that the node says; labels and addresses, which decide what the
 * proxy is given, are those that are declared. On the other ways whoever calls speaks for the machine, and is believed.
 */
export function attest(peer: Peer, claimed: Proxy, workloads: DeclaredWorkloads): Proxy | string {
  if (peer.transport !== "mtls") return claimed;
  const { identity } = peer;
  if (identity === undefined) return "no identity";
  const workload = workloads.named(claimed.namespace, claimed.name);
  if (workload?.serviceAccount !== identity.serviceAccount || workload.namespace !== identity.namespace) {
    return `no Pod or WorkloadEntry ${claimed.namespace}/${claimed.name} runs as ${formatIdentity(identity)}; declare it, or join with a token that names it`;
  }
  const { labels, address, proxyType } = workload;
  if (proxyType !== claimed.type) {
    return `${workload.kind} ${claimed.namespace}/${claimed.name} has a proxy of type ${proxyType}, not ${claimed.type}`;
  }
  return { ...claimed, labels, addresses: isIp(address) ? [address] : [] };
}
