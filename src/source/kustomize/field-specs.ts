import type { Id } from "./item.ts";

/** A field of some kinds, as kustomize's defaults name it; lists on the way count item by item. */
export interface FieldSpec {
  readonly kinds: readonly string[];
  readonly path: readonly string[];
  /** Made where it is missing. */
  readonly isCreated: boolean;
}

const path = (text: string) => text.split("/");
const spec = (kinds: string, text: string, isCreated = true): FieldSpec => ({ kinds: kinds.split(" "), path: path(text), isCreated });

const WITH_TEMPLATE = "ReplicationController Deployment ReplicaSet DaemonSet StatefulSet Job";

export const TEMPLATE_LABELS: readonly FieldSpec[] = [
  spec(WITH_TEMPLATE, "spec/template/metadata/labels"),
  spec("StatefulSet", "spec/volumeClaimTemplates/metadata/labels"),
  spec("CronJob", "spec/jobTemplate/metadata/labels"),
  spec("CronJob", "spec/jobTemplate/spec/template/metadata/labels"),
];

const AFFINITY = ["podAffinity", "podAntiAffinity"].flatMap((sort) => [
  `spec/template/spec/affinity/${sort}/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels`,
  `spec/template/spec/affinity/${sort}/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels`,
]);

export const SELECTORS: readonly FieldSpec[] = [
  spec("Service ReplicationController", "spec/selector"),
  spec("Deployment ReplicaSet DaemonSet StatefulSet", "spec/selector/matchLabels"),
  ...[...AFFINITY, "spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels"].map((text) =>
    spec("Deployment StatefulSet", text, false),
  ),
  spec("Job PodDisruptionBudget", "spec/selector/matchLabels", false),
  spec("CronJob", "spec/jobTemplate/spec/selector/matchLabels", false),
  spec("NetworkPolicy", "spec/podSelector/matchLabels", false),
  spec("NetworkPolicy", "spec/ingress/from/podSelector/matchLabels", false),
  spec("NetworkPolicy", "spec/egress/to/podSelector/matchLabels", false),
];

export const TEMPLATE_ANNOTATIONS: readonly FieldSpec[] = [
  spec(WITH_TEMPLATE, "spec/template/metadata/annotations"),
  spec("CronJob", "spec/jobTemplate/metadata/annotations"),
  spec("CronJob", "spec/jobTemplate/spec/template/metadata/annotations"),
];

export const REPLICAS = spec("Deployment ReplicationController ReplicaSet StatefulSet", "spec/replicas");

/** Where a field of one kind holds the name of a resource of another. */
export interface ReferenceSpec {
  readonly to: readonly string[];
  readonly from: readonly string[];
  readonly path: readonly string[];
  /** The field is a map with `name` and `namespace`. */
  readonly isMap?: true;
}

/** `~` stands for a slash within a key. */
const reference = (to: string, from: string, text: string): ReferenceSpec => ({
  to: to.split(" "),
  from: from.split(" "),
  path: path(text).map((step) => step.replace("~", "/")),
});
const mapReference = (to: string, from: string, text: string): ReferenceSpec => ({ ...reference(to, from, text), isMap: true });

/** Where pod specs are, by kind. */
const POD_SPECS: readonly (readonly [kinds: string, prefix: string])[] = [
  ["Pod", "spec"],
  ["PodTemplate", "template/spec"],
  [WITH_TEMPLATE, "spec/template/spec"],
  ["CronJob", "spec/jobTemplate/spec/template/spec"],
];

const IN_PODS: readonly (readonly [to: string, path: string])[] = [
  ...["containers", "initContainers"].flatMap((list): readonly (readonly [string, string])[] => [
    ["ConfigMap", `${list}/env/valueFrom/configMapKeyRef/name`],
    ["ConfigMap", `${list}/envFrom/configMapRef/name`],
    ["Secret", `${list}/env/valueFrom/secretKeyRef/name`],
    ["Secret", `${list}/envFrom/secretRef/name`],
  ]),
  ["ConfigMap", "volumes/configMap/name"],
  ["ConfigMap", "volumes/projected/sources/configMap/name"],
  ["Secret", "volumes/secret/secretName"],
  ["Secret", "volumes/projected/sources/secret/name"],
  ["Secret", "imagePullSecrets/name"],
  ["ServiceAccount", "serviceAccountName"],
  ["PersistentVolumeClaim", "volumes/persistentVolumeClaim/claimName"],
  ["PriorityClass", "priorityClassName"],
];

export const REFERENCES: readonly ReferenceSpec[] = [
  ...POD_SPECS.flatMap(([kinds, prefix]) => IN_PODS.map(([to, text]) => reference(to, kinds, `${prefix}/${text}`))),
  reference("Deployment ReplicationController ReplicaSet StatefulSet", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name"),
  reference("ConfigMap Secret", "Role ClusterRole", "rules/resourceNames"),
  reference("ConfigMap", "Ingress", "metadata/annotations/nginx.ingress.kubernetes.io~fastcgi-params-configmap"),
  reference("Secret", "Ingress", "metadata/annotations/ingress.kubernetes.io~auth-secret"),
  reference("Secret", "Ingress", "metadata/annotations/nginx.ingress.kubernetes.io~auth-secret"),
  reference("Secret", "Ingress", "metadata/annotations/nginx.ingress.kubernetes.io~auth-tls-secret"),
  reference("Secret", "Ingress", "spec/tls/secretName"),
  reference("Secret", "ServiceAccount", "imagePullSecrets/name"),
  reference("Service", "StatefulSet", "spec/serviceName"),
  reference("Service", "Ingress", "spec/rules/http/paths/backend/serviceName"),
  reference("Service", "Ingress", "spec/backend/serviceName"),
  reference("Service", "Ingress", "spec/rules/http/paths/backend/service/name"),
  reference("Service", "Ingress", "spec/defaultBackend/service/name"),
  reference("Service", "APIService", "spec/service/name"),
  mapReference("Service", "ValidatingWebhookConfiguration MutatingWebhookConfiguration", "webhooks/clientConfig/service"),
  reference("Role ClusterRole", "RoleBinding", "roleRef/name"),
  reference("ClusterRole", "ClusterRoleBinding", "roleRef/name"),
  mapReference("ServiceAccount", "RoleBinding ClusterRoleBinding", "subjects"),
  reference("PersistentVolume", "PersistentVolumeClaim", "spec/volumeName"),
  reference("StorageClass", "PersistentVolume PersistentVolumeClaim", "spec/storageClassName"),
  reference("StorageClass", "StatefulSet", "spec/volumeClaimTemplates/spec/storageClassName"),
  reference("IngressClass", "Ingress", "spec/ingressClassName"),
];

/** Where kustomize asks for more than the kind. */
const GROUPS: Readonly<Record<string, string>> = {
  StatefulSet: "apps",
  Job: "batch",
  CronJob: "batch",
  PodDisruptionBudget: "policy",
  NetworkPolicy: "networking.k8s.io",
};
const OF_VERSION_1 = new Set(["Service", "ReplicationController"]);

/** Kinds of others that have the same name count, too, as they do for kustomize. */
export function isOf({ kinds }: Pick<FieldSpec, "kinds">, { kind, group, version }: Id): boolean {
  return kinds.includes(kind) && group === (GROUPS[kind] ?? group) && (version === "v1" || !OF_VERSION_1.has(kind));
}
