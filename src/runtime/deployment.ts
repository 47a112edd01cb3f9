import { stableHash } from "../base/index.ts";
import { isGateway } from "../mesh/index.ts";
import type { DeclaredResource } from "./resources.ts";
import type { DeploymentBody, StatefulSetBody } from "../schema/bodies.ts";
import type { Capture } from "./network.ts";
import type { DesiredPod, PodTemplate } from "./pod.ts";

/** What one Deployment or StatefulSet asks for, before it is compared with what runs. */
export interface DesiredWorkload {
  readonly kind: "Deployment" | "StatefulSet";
  readonly namespace: string;
  readonly name: string;
  readonly revision: string;
  readonly replicas: number;
  /** StatefulSet with `podManagementPolicy: OrderedReady`: one pod after another. */
  readonly ordered: boolean;
  /** Pods above `replicas` while a Deployment changes. */
  readonly surge: number;
  /** The pod in place `index` (0 to replicas - 1, and beyond for surging pods). */
  pod(index: number): DesiredPod;
}

const MAX_REPLICAS = 200;

/** Pods as Kubernetes would name and label them; deterministic, so that the same files give the same names. */
export function toDesiredWorkload(resource: DeclaredResource): DesiredWorkload | undefined {
  if (resource.kind === "Deployment") return fromDeployment(resource, resource.body as DeploymentBody);
  if (resource.kind === "StatefulSet") return fromStatefulSet(resource, resource.body as StatefulSetBody);
  return undefined;
}

const SUFFIX = 5;
/** As Kubernetes generates names: a long one is cut, so that a Pod's is a label, whatever its Deployment's. */
const LONGEST_BASE = 63 - SUFFIX;

function fromDeployment(resource: DeclaredResource, { spec }: DeploymentBody): DesiredWorkload | undefined {
  if (spec?.template === undefined) return undefined;
  const replicas = limitReplicas(spec.replicas);
  const revision = revisionOf(spec.template);
  const { name, namespace } = resource.metadata;
  return {
    kind: "Deployment",
    namespace,
    name,
    revision,
    replicas,
    ordered: false,
    surge: Math.max(1, surgeOf(spec.strategy?.rollingUpdate?.maxSurge, replicas)),
    pod: (index) => ({
      ...podOf(resource, spec.template, revision, { "pod-template-hash": revision }),
      name: `${`${name}-${revision}-`.slice(0, LONGEST_BASE)}${toSuffix(stableHash([namespace, name, revision, index]), SUFFIX)}`,
    }),
  };
}

function fromStatefulSet(resource: DeclaredResource, { spec }: StatefulSetBody): DesiredWorkload | undefined {
  if (spec?.template === undefined) return undefined;
  const template = spec.template as PodTemplate;
  const revision = revisionOf(template);
  const { name, namespace } = resource.metadata;
  return {
    kind: "StatefulSet",
    namespace,
    name,
    revision,
    replicas: limitReplicas(spec.replicas),
    ordered: spec.podManagementPolicy !== "Parallel",
    surge: 0,
    pod: (index) => {
      const labels = {
        "controller-revision-hash": `${name}-${revision}`,
        "statefulset.kubernetes.io/pod-name": `${name}-${index}`,
        "apps.kubernetes.io/pod-index": String(index),
      };
      const pod = { ...podOf(resource, template, revision, labels), name: `${name}-${index}` };
      return { ...pod, spec: { ...pod.spec, volumes: withClaims(pod, spec.volumeClaimTemplates ?? []) } };
    },
  };
}

/** Each pod has claims of its own, whose names it keeps; they win over volumes of the same name. */
function withClaims(
  { name: pod, spec: { volumes = [] } }: DesiredPod,
  templates: readonly { readonly metadata?: { readonly name?: string } }[],
): NonNullable<DesiredPod["spec"]["volumes"]> {
  const claims = templates
    .map(({ metadata }) => metadata?.name ?? "")
    .map((name) => ({ name, persistentVolumeClaim: { claimName: `${name}-${pod}` } }));
  return [...volumes.filter(({ name }) => !claims.some((claim) => claim.name === name)), ...claims];
}

function podOf(
  resource: DeclaredResource,
  template: PodTemplate,
  revision: string,
  ownLabels: Readonly<Record<string, string>>,
): Omit<DesiredPod, "name"> {
  const annotations = template.metadata?.annotations ?? {};
  const labels = { ...template.metadata?.labels, ...ownLabels };
  const spec = template.spec ?? { containers: [] };
  return {
    namespace: resource.metadata.namespace,
    owner: { kind: resource.kind, namespace: resource.metadata.namespace, name: resource.metadata.name },
    revision,
    labels,
    annotations,
    serviceAccount: spec.serviceAccountName ?? spec.serviceAccount ?? "default",
    capture: captureOf(labels, annotations),
    spec,
  };
}

/**
 * A template marked for gateway injection gets only a proxy of type router, as Istio does it; `sidecar.istio.io/inject: "false"` (label or
 * annotation) leaves a pod outside the mesh. Everything else has a sidecar: namespaces need no label.
 */
export function captureOf(labels: Readonly<Record<string, string>>, annotations: Readonly<Record<string, string>>): Capture {
  if (isGateway({ labels, annotations })) return "gateway";
  const inject = labels["sidecar.istio.io/inject"] ?? annotations["sidecar.istio.io/inject"];
  return inject === "false" ? "none" : "sidecar";
}

/** `kubectl rollout restart` sets an annotation of the template: it counts like every other change. */
function revisionOf(template: PodTemplate): string {
  return toSuffix(stableHash(template), 10);
}

/** Kubernetes' alphabet for generated names: no vowels, so that no words appear. */
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

function toSuffix(hash: string, length: number): string {
  let rest = BigInt(`0x${hash}`);
  let text = "";
  while (text.length < length) {
    text += ALPHABET[Number(rest % BigInt(ALPHABET.length))] ?? "";
    rest /= BigInt(ALPHABET.length);
  }
  return text;
}

function limitReplicas(replicas: number | undefined): number {
  return Math.min(Math.max(0, Math.trunc(replicas ?? 1)), MAX_REPLICAS);
}

/** `maxSurge`: a number of pods or a share of the replicas, rounded up; Kubernetes' default is 25 %. */
function surgeOf(maxSurge: number | string | undefined, replicas: number): number {
  if (typeof maxSurge === "number") return Math.trunc(maxSurge);
  const percent = /^(\d{1,3})%$/.exec(maxSurge ?? "25%")?.[1];
  return Math.ceil((replicas * Number(percent ?? 25)) / 100);
}
