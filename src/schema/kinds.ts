/** One kind of resource as the APIs, the command line and the admin API name it. */
export interface Kind {
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  /** Empty for Kubernetes' core group. */
  readonly group: string;
  /** The first is the one that resources are read as. */
  readonly versions: readonly string[];
  readonly namespaced: boolean;
  /** A resource of it refuses something: without it more is allowed than with it. */
  readonly restricts?: true;
}

const NETWORKING = { group: "networking.istio.io", versions: ["v1", "v1beta1", "v1alpha3"] } as const;
const SECURITY = { group: "security.istio.io", versions: ["v1", "v1beta1"] } as const;
const CORE = { group: "", versions: ["v1"] } as const;
const APPS = { group: "apps", versions: ["v1"] } as const;

/** Every kind that is read. MeshConfig is one here: it stands in a ConfigMap, `istio` in `istio-system`. */
export const kinds: readonly Kind[] = [
  declare("Namespace", "namespaces", ["ns"], CORE, false),
  declare("ServiceAccount", "serviceaccounts", ["sa"], CORE),
  declare("Service", "services", ["svc"], CORE),
  declare("Pod", "pods", ["po"], CORE),
  declare("ConfigMap", "configmaps", ["cm"], CORE),
  declare("Secret", "secrets", [], CORE),
  declare("EndpointSlice", "endpointslices", [], { group: "discovery.k8s.io", versions: ["v1"] }),
  declare("Deployment", "deployments", ["deploy"], APPS),
  declare("StatefulSet", "statefulsets", ["sts"], APPS),
  declare("Gateway", "gateways", ["gw"], NETWORKING),
  declare("VirtualService", "virtualservices", ["vs"], NETWORKING),
  declare("DestinationRule", "destinationrules", ["dr"], NETWORKING),
  declare("ServiceEntry", "serviceentries", ["se"], NETWORKING),
  declare("WorkloadEntry", "workloadentries", ["we"], NETWORKING),
  restricting(declare("PeerAuthentication", "peerauthentications", ["pa"], SECURITY)),
  restricting(declare("RequestAuthentication", "requestauthentications", ["ra"], SECURITY)),
  restricting(declare("AuthorizationPolicy", "authorizationpolicies", ["ap"], SECURITY)),
  restricting(declare("MeshConfig", "meshconfigs", [], { group: "mesh.istio.io", versions: ["v1alpha1"] })),
];

/** True where a resource of this kind must not go away unnoticed: going without would open what it closes. */
export function restricts(name: string): boolean {
  return kinds.some(({ kind, restricts: does }) => kind === name && does === true);
}

/** The kind that a document's `apiVersion` and `kind` name; undefined where we don't read it. */
export function findKind(apiVersion: string, name: string): Kind | undefined {
  const [group, version] = splitApiVersion(apiVersion);
  return kinds.find((known) => known.kind === name && known.group === group && known.versions.includes(version));
}

/** By what people type: kind, plural, singular or a short name, in any case, with or without `.group`. */
export function findKindByWord(word: string): Kind | undefined {
  const [name = "", ...group] = word.toLowerCase().split(".");
  return kinds.find(
    ({ plural, singular, shortNames, ...known }) =>
      (plural === name || singular === name || shortNames.includes(name)) &&
      (group.length === 0 ||
        known.group === group.join(".") ||
        (known.group === group.slice(1).join(".") && known.versions.includes(group[0] ?? ""))),
  );
}

/** `networking.istio.io/v1`, `v1`: how documents of this kind are read and written. */
export function apiVersionOf({ group, versions }: Kind): string {
  const version = versions[0] ?? "v1";
  return group === "" ? version : `${group}/${version}`;
}

/** `apps/v1` in its two parts; the core group is empty. */
export function splitApiVersion(apiVersion: string): readonly [group: string, version: string] {
  const slash = apiVersion.indexOf("/");
  return slash === -1 ? ["", apiVersion] : [apiVersion.slice(0, slash), apiVersion.slice(slash + 1)];
}

function declare(
  name: string,
  plural: string,
  shortNames: readonly string[],
  api: Pick<Kind, "group" | "versions">,
  namespaced = true,
): Kind {
  return { kind: name, plural, singular: name.toLowerCase(), shortNames, ...api, namespaced };
}

function restricting(kind: Kind): Kind {
  return { ...kind, restricts: true };
}
