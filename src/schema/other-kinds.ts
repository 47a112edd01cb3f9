import type { Severity } from "../model/diagnostic.ts";

/** What a kind that is not read promises, and so what is missing without it. */
export type Promised =
  | "restricts"
  | "routes"
  | "runs"
  | "stores"
  | "issues"
  | "configures"
  | "observes"
  | "scales"
  | "grants"
  | "cluster-only"
  | "of-a-tool";

/** How a class is spoken of, and how loud: what opens something, or leaves something undone, is at least a warning. */
interface Wording {
  readonly severity: Severity;
  /** What is missing; absent where the class has no effect outside of a cluster at all. */
  readonly missing?: string;
  readonly help?: string;
}

export const wordings: Readonly<Record<Promised, Wording>> = {
  restricts: { severity: "warning", missing: "what it would keep out gets in", help: "restrict it with an AuthorizationPolicy" },
  routes: { severity: "warning", missing: "no request takes its way", help: "write its routes as Istio's VirtualService" },
  runs: { severity: "warning", missing: "none of its programs is started", help: "write a Deployment, or start them yourself" },
  stores: { severity: "warning", missing: "no storage is set aside for it" },
  issues: { severity: "warning", missing: "no certificate is made for it", help: "declare the Secret that it would fill" },
  configures: { severity: "warning", missing: "its settings have no effect" },
  observes: { severity: "warning", missing: "what it would collect or record isn't" },
  scales: { severity: "info", missing: "there are as many replicas as their Deployment says" },
  grants: { severity: "info", missing: "what it would allow isn't read either" },
  "cluster-only": { severity: "info" },
  "of-a-tool": { severity: "info", missing: "it is a tool's own file" },
};

export interface OtherKind {
  readonly promised: Promised;
  /** In place of the class's words, where the kind's own say more. */
  readonly missing?: string;
  readonly help?: string;
}

type Declared = Readonly<Partial<Record<Promised, readonly (string | readonly [kind: string, missing: string, help?: string])[]>>>;

/** Kinds that are known and not read, by group; where a group says `others`, every kind of it that isn't named is of that class. */
const declared: Readonly<Record<string, Declared & { readonly others?: Promised }>> = {
  "": {
    runs: ["ReplicationController", "PodTemplate"],
    stores: ["PersistentVolume"],
    "cluster-only": [
      ...["Binding", "ComponentStatus", "Endpoints", "Event", "LimitRange", "Node", "ResourceQuota"],
      ["PersistentVolumeClaim", "where a Pod mounts it, a folder of this machine stands for it"],
    ],
  },
  apps: { runs: ["DaemonSet", "ReplicaSet"], "cluster-only": ["ControllerRevision"] },
  batch: { runs: ["CronJob", "Job"] },
  autoscaling: { scales: ["HorizontalPodAutoscaler", "Scale"] },
  "autoscaling.k8s.io": { scales: ["VerticalPodAutoscaler", "VerticalPodAutoscalerCheckpoint"] },
  policy: {
    restricts: [["PodSecurityPolicy", "Pods are not held to it"]],
    "cluster-only": ["PodDisruptionBudget", "Eviction"],
  },
  extensions: { runs: ["DaemonSet", "ReplicaSet"], routes: ["Ingress"], restricts: [networkPolicy("NetworkPolicy")] },
  "networking.k8s.io": {
    restricts: [networkPolicy("NetworkPolicy")],
    routes: ["Ingress"],
    configures: ["IngressClass"],
    "cluster-only": ["ServiceCIDR", "IPAddress", "ClusterCIDR"],
  },
  "policy.networking.k8s.io": {
    restricts: ["AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"].map(networkPolicy),
  },
  "rbac.authorization.k8s.io": { "cluster-only": ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"] },
  "apiextensions.k8s.io": { "cluster-only": ["CustomResourceDefinition"] },
  "apiregistration.k8s.io": { "cluster-only": ["APIService"] },
  "admissionregistration.k8s.io": {
    "cluster-only": [
      ...["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration"],
      ...["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration"],
    ],
  },
  "certificates.k8s.io": { issues: ["CertificateSigningRequest"], configures: ["ClusterTrustBundle"] },
  "coordination.k8s.io": { others: "cluster-only", "cluster-only": ["Lease"] },
  "events.k8s.io": { "cluster-only": ["Event"] },
  "flowcontrol.apiserver.k8s.io": { "cluster-only": ["FlowSchema", "PriorityLevelConfiguration"] },
  "metrics.k8s.io": { others: "cluster-only" },
  "node.k8s.io": { "cluster-only": ["RuntimeClass"] },
  "scheduling.k8s.io": { "cluster-only": ["PriorityClass"] },
  "snapshot.storage.k8s.io": { stores: ["VolumeSnapshot", "VolumeSnapshotClass", "VolumeSnapshotContent"] },
  "storage.k8s.io": {
    "cluster-only": ["CSIDriver", "CSINode", "CSIStorageCapacity", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"],
  },
  "authentication.k8s.io": { others: "cluster-only" },
  "authorization.k8s.io": { others: "cluster-only" },

  "gateway.networking.k8s.io": gatewayApi(),
  "gateway.networking.x-k8s.io": gatewayApi(),
  "networking.x-k8s.io": gatewayApi(),
  "multicluster.x-k8s.io": { configures: ["ServiceExport", "ServiceImport"] },

  "networking.istio.io": {
    restricts: [
      [
        "Sidecar",
        "its workloads reach every host that is exported to them",
        "narrow exportTo, or write an AuthorizationPolicy at the hosts",
      ],
      ["EnvoyFilter", "what it adds to the proxies is missing, checks and limits among it", "don't rely on it"],
    ],
    configures: ["ProxyConfig"],
    runs: [["WorkloadGroup", "machines that join don't become its members", "write a WorkloadEntry for each"]],
  },
  "extensions.istio.io": {
    restricts: [
      ["WasmPlugin", "its module doesn't run, and what that would refuse passes", "use an AuthorizationPolicy, or an extension provider"],
      [
        "TrafficExtension",
        "its module doesn't run, and what that would refuse passes",
        "use an AuthorizationPolicy, or an extension provider",
      ],
    ],
  },
  "telemetry.istio.io": { observes: [["Telemetry", "logs, metrics and traces stay as MeshConfig says"]] },
  "install.istio.io": {
    configures: [["IstioOperator", "its settings have no effect", "write those of meshConfig into the ConfigMap istio"]],
  },

  "serving.knative.dev": {
    routes: ["Route", "DomainMapping"],
    runs: [["Service", "it is not started, and has no route"], "Configuration", "Revision"],
  },
  "networking.internal.knative.dev": { others: "configures", routes: ["Ingress"] },
  "argoproj.io": {
    runs: ["Rollout", "Workflow", "CronWorkflow", "Application", "ApplicationSet", "Experiment"],
    configures: ["AnalysisRun", "AnalysisTemplate", "ClusterAnalysisTemplate", "AppProject"],
  },
  "keda.sh": { scales: ["ScaledObject"], runs: ["ScaledJob"], configures: ["TriggerAuthentication", "ClusterTriggerAuthentication"] },
  "cert-manager.io": { issues: ["Certificate", "CertificateRequest", "ClusterIssuer", "Issuer"] },
  "certmanager.k8s.io": { issues: ["Certificate", "ClusterIssuer", "Issuer"] },
  "monitoring.coreos.com": {
    observes: ["ServiceMonitor", "PodMonitor", "PrometheusRule", "Probe", "ScrapeConfig"],
    runs: ["Alertmanager", "Prometheus", "ThanosRuler"],
  },
  "cilium.io": { restricts: ["CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"].map(networkPolicy) },
  "crd.projectcalico.org": { restricts: ["NetworkPolicy", "GlobalNetworkPolicy"].map(networkPolicy) },
  "projectcalico.org": { restricts: ["NetworkPolicy", "GlobalNetworkPolicy"].map(networkPolicy) },
  "policy.linkerd.io": {
    restricts: ["AuthorizationPolicy", "MeshTLSAuthentication", "NetworkAuthentication", "Server", "ServerAuthorization"],
    routes: ["HTTPRoute"],
  },
  "linkerd.io": { routes: ["ServiceProfile"] },
  "appmesh.k8s.aws": { others: "configures", routes: ["GatewayRoute", "VirtualGateway", "VirtualNode", "VirtualRouter", "VirtualService"] },
  "traefik.io": { others: "configures", routes: ["IngressRoute", "IngressRouteTCP", "IngressRouteUDP", "TraefikService"] },
  "projectcontour.io": { routes: ["HTTPProxy"] },
  "split.smi-spec.io": { routes: ["TrafficSplit"] },
  "access.smi-spec.io": { restricts: ["TrafficTarget"] },
  "apisix.apache.org": { others: "configures", routes: ["ApisixRoute"] },
  "gateway.envoyproxy.io": {
    restricts: ["SecurityPolicy", "BackendTrafficPolicy", "ClientTrafficPolicy"],
    configures: ["Backend", "EnvoyGateway", "EnvoyPatchPolicy", "EnvoyProxy"],
  },

  "kustomize.config.k8s.io": { others: "of-a-tool", "of-a-tool": ["Kustomization", "Component"] },
};

/** A kind that is known though not read; undefined for one that nobody has classed. */
export function findOtherKind(group: string, kind: string): OtherKind | undefined {
  const classes = Object.hasOwn(declared, group) ? declared[group] : undefined;
  if (classes === undefined) return undefined;
  const { others, ...byClass } = classes;
  for (const promised of Object.keys(byClass) as Promised[])
    for (const entry of byClass[promised] ?? []) {
      const [name, missing, help] = typeof entry === "string" ? [entry] : entry;
      if (name === kind) return { promised, ...(missing !== undefined && { missing }), ...(help !== undefined && { help }) };
    }
  return others === undefined ? undefined : { promised: others };
}

/** The kinds of a group that are known and not read, for a did-you-mean. */
export function otherKindsOf(group: string): readonly string[] {
  const { others: _, ...byClass } = Object.hasOwn(declared, group) ? (declared[group] ?? {}) : {};
  return Object.values(byClass).flatMap((entries) => entries.map((entry) => (typeof entry === "string" ? entry : entry[0])));
}

export function isOtherGroup(group: string): boolean {
  return Object.hasOwn(declared, group);
}

function networkPolicy(kind: string): readonly [kind: string, missing: string, help: string] {
  return [kind, "connections that it would refuse are let through", "restrict them with an AuthorizationPolicy and mTLS"];
}

function gatewayApi(): Declared {
  return {
    restricts: [
      ["BackendTLSPolicy", "connections to its backends are not made TLS by it", "write a DestinationRule with trafficPolicy.tls"],
    ],
    routes: [
      ["Gateway", "no listener is opened for it", "declare the listener and its routes with Istio's kinds"],
      ["ListenerSet", "no listener is opened for it", "declare the listener and its routes with Istio's kinds"],
      ["XListenerSet", "no listener is opened for it", "declare the listener and its routes with Istio's kinds"],
      ...["GRPCRoute", "HTTPRoute", "TCPRoute", "TLSRoute", "UDPRoute"],
    ],
    configures: ["GatewayClass", "BackendTrafficPolicy", "XBackendTrafficPolicy", "XMesh"],
    grants: ["ReferenceGrant"],
  };
}
