import type { DeploymentBody, PodBody } from "../schema/bodies.ts";
import type { ResourceRef } from "../model/resource.ts";
import type { Capture } from "./network.ts";

export type PodSpec = NonNullable<PodBody["spec"]>;
export type Container = PodSpec["containers"][number];
export type PodTemplate = NonNullable<DeploymentBody["spec"]>["template"];

/** One pod that should run, with all that its Deployment or StatefulSet says of it. */
export interface DesiredPod {
  readonly namespace: string;
  readonly name: string;
  readonly owner: ResourceRef;
  /** Hash of the template: pods of another revision are replaced. */
  readonly revision: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly capture: Capture;
  readonly spec: PodSpec;
}

/** What the runtime writes to the control plane: a Pod as Kubernetes shapes it. */
export interface PodDocument {
  readonly apiVersion: "v1";
  readonly kind: "Pod";
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
    /** As a controller's Pods have them; Kubernetes would name a ReplicaSet here. */
    readonly ownerReferences: readonly Readonly<Record<string, unknown>>[];
  };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status: Readonly<Record<string, unknown>>;
}

/** What is observed of a pod. */
export interface PodStatus {
  readonly address: string;
  readonly phase: "Pending" | "Running";
  readonly ready: boolean;
  /** Why it is not ready, in the words of the one who knows. */
  readonly message: string;
  readonly restarts: number;
  readonly terminating: boolean;
  /** Mode `ports`: declared port to the one on which the sidecar takes it. */
  readonly sidecarPorts?: Readonly<Record<number, number>>;
  /** Mode `ports`: declared port to the one that this replica was told to listen on. */
  readonly appPorts?: Readonly<Record<number, number>>;
}

export function toPodDocument(pod: DesiredPod, status: PodStatus): PodDocument {
  const condition = (type: string, isTrue: boolean) => ({
    type,
    status: isTrue ? "True" : "False",
    ...(isTrue ? {} : status.terminating ? { reason: "Terminating", message: "stopping" } : { message: status.message }),
  });
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: pod.name,
      namespace: pod.namespace,
      labels: pod.labels,
      annotations: annotationsOf(pod, status),
      ownerReferences: [{ apiVersion: "apps/v1", kind: pod.owner.kind, name: pod.owner.name, controller: true }],
    },
    spec: {
      serviceAccountName: pod.serviceAccount,
      containers: pod.spec.containers.map(({ name, image, ports }) => ({ name, ...(image && { image }), ...(ports && { ports }) })),
    },
    status: {
      phase: status.phase,
      ...(status.address !== "" && { podIP: status.address, podIPs: [{ ip: status.address }] }),
      conditions: [condition("Ready", status.ready && !status.terminating)],
      containerStatuses: pod.spec.containers.map(({ name, image }) => ({
        name,
        image: image ?? "",
        imageID: "",
        ready: status.ready,
        restartCount: status.restarts,
      })),
    },
  };
}

function annotationsOf(pod: DesiredPod, status: PodStatus): Readonly<Record<string, string>> {
  return {
    ...pod.annotations,
    ...(pod.capture === "sidecar" && { "sidecar.istio.io/status": "{}" }),
    ...(status.sidecarPorts && { "kumiko.dev/sidecar-ports": JSON.stringify(status.sidecarPorts) }),
    ...(status.appPorts && Object.keys(status.appPorts).length > 0 && { "kumiko.dev/app-ports": JSON.stringify(status.appPorts) }),
  };
}
