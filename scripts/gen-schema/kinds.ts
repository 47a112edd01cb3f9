export interface SourceKind {
  readonly kind: string;
  readonly apiVersions: readonly string[];
  readonly family: "kubernetes" | "istio";
  /** Module that declares the interface `I<kind>`, and the one whose `validate` knows its limits. */
  readonly module: string;
  readonly validator: string;
}

const KUBERNETES: readonly [kind: string, apiVersion: string, group: string][] = [
  ["Namespace", "v1", "IoK8sApiCore"],
  ["ServiceAccount", "v1", "IoK8sApiCore"],
  ["Service", "v1", "IoK8sApiCore"],
  ["Pod", "v1", "IoK8sApiCore"],
  ["ConfigMap", "v1", "IoK8sApiCore"],
  ["Secret", "v1", "IoK8sApiCore"],
  ["EndpointSlice", "discovery.k8s.io/v1", "IoK8sApiDiscovery"],
  ["Deployment", "apps/v1", "IoK8sApiApps"],
  ["StatefulSet", "apps/v1", "IoK8sApiApps"],
];

const ISTIO: readonly [kind: string, group: "networking" | "security"][] = [
  ["Gateway", "networking"],
  ["VirtualService", "networking"],
  ["DestinationRule", "networking"],
  ["ServiceEntry", "networking"],
  ["WorkloadEntry", "networking"],
  ["PeerAuthentication", "security"],
  ["RequestAuthentication", "security"],
  ["AuthorizationPolicy", "security"],
];

export const KINDS: readonly SourceKind[] = [
  ...KUBERNETES.map(
    ([kind, apiVersion, group]): SourceKind => ({
      kind,
      apiVersions: [apiVersion],
      family: "kubernetes",
      module: `kubernetes-models/${apiVersion}/${kind}`,
      validator: `kubernetes-models/_schemas/${group}V1${kind}.js`,
    }),
  ),
  ...ISTIO.map(
    ([kind, group]): SourceKind => ({
      kind,
      apiVersions:
        group === "networking"
          ? ["v1", "v1beta1", "v1alpha3"].map((v) => `networking.istio.io/${v}`)
          : ["v1", "v1beta1"].map((v) => `security.istio.io/${v}`),
      family: "istio",
      module: `@kubernetes-models/istio/${group}.istio.io/v1/${kind}`,
      validator: `@kubernetes-models/istio/_schemas/${group === "networking" ? "Networking" : "Security"}IstioIoV1${kind}.js`,
    }),
  ),
];
