import type { PodBody } from "../schema/bodies.ts";
import { isPodReady } from "../schema/pod-ready.ts";
import type { AdminBackend, HeldResource } from "./backend.ts";

/** What a controller would write into a Deployment or StatefulSet: how many of its Pods there are, and how many are ready. */
export function replicaStatus(backend: AdminBackend, { resource }: HeldResource): Readonly<Record<string, number>> | undefined {
  const { kind, metadata } = resource;
  if (kind !== "Deployment" && kind !== "StatefulSet") return undefined;
  const pods = backend.list("Pod").filter(({ resource: { metadata: pod } }) => {
    return pod.namespace === metadata.namespace && pod.owner?.kind === kind && pod.owner.name === metadata.name;
  });
  const ready = pods.filter(({ resource: pod }) => isPodReady(pod.body as PodBody)).length;
  return { replicas: pods.length, readyReplicas: ready, availableReplicas: ready };
}
