import type { Resource } from "../model/resource.ts";
import type { PodBody } from "../schema/bodies.ts";
import { readyCondition } from "../schema/pod-ready.ts";

/** What the runtime reports of a Pod. */
export interface PodReadiness {
  /** Undefined where it doesn't say. */
  readonly ready: boolean | undefined;
  /** Why it isn't ready. */
  readonly message: string;
  readonly stopping: boolean;
  readonly restarts: number;
  readonly hasProxy: boolean;
  readonly serviceAccount: string;
}

export function readPod({ metadata, body }: Resource): PodReadiness {
  const { spec, status } = body as PodBody;
  const ready = readyCondition(body as PodBody);
  const { labels, annotations } = metadata;
  return {
    ready: ready && ready.status === "True",
    message: ready?.message ?? "",
    stopping: ready?.reason === "Terminating",
    restarts: Math.max(0, ...(status?.containerStatuses ?? []).map(({ restartCount }) => restartCount ?? 0)),
    hasProxy: labels["sidecar.istio.io/inject"] !== "false" && annotations["sidecar.istio.io/inject"] !== "false",
    serviceAccount: spec?.serviceAccountName ?? "default",
  };
}
