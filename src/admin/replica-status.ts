import { matchesLabels } from "../mesh/index.ts";
import type { PodBody } from "../schema/bodies.ts";
import { isPodReady } from "../schema/pod-ready.ts";
import type { AdminBackend, HeldResource } from "./backend.ts";

interface WorkloadSpec {
  readonly spec?: { readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> } };
}

/** What a controller would write into a Deployment or StatefulSet: how many of its Pods there are, and how many are ready. */
export function replicaStatus(backend: AdminBackend, { resource }: HeldResource): Readonly<Record<string, number>> | undefined {
  if (resource.kind !== "Deployment" && resource.kind !== "StatefulSet") return undefined;
  const { name, namespace } = resource.metadata;
  const selector = (resource.body as WorkloadSpec).spec?.selector?.matchLabels ?? {};
  const pods = backend.list("Pod").filter(({ resource: pod }) => {
    const { metadata } = pod;
    // Two workloads may select by the same labels; a Pod is named for the one that made it.
    const isOwn = metadata.namespace === namespace && metadata.name.startsWith(`${name}-`);
    return isOwn && matchesLabels(selector, metadata.labels);
  });
  const ready = pods.filter(({ resource: pod }) => isPodReady(pod.body as PodBody)).length;
  return { replicas: pods.length, readyReplicas: ready, availableReplicas: ready };
}
