import { isWildcardHost } from "../../base/host-match.ts";
import { MESH_ALPN } from "../../ir/alpn.ts";
import type { Cluster } from "../../ir/cluster.ts";
import type { StringMatch } from "../../ir/match.ts";
import type { ClientTls } from "../../ir/tls.ts";
import type { EffectivePolicy } from "./destination-rule.ts";
import { isHttp, isHttp2 } from "../../model/service.ts";
import type { ClusterInputs } from "./cluster.ts";

type TlsSpec = NonNullable<EffectivePolicy["tls"]>;

/** `unusable`: the resource asks for what we can't do; the cluster then has no endpoints rather than weaker TLS. */
export type ClusterTls = { readonly tls?: Cluster["tls"] & object } | { readonly unusable: string };

const OWN_CERTIFICATE = "default";
const MESH_ROOTS = "ROOTCA";

/** TLS towards a service: what a DestinationRule says, else mTLS to whoever has a sidecar (Istio's auto mTLS). */
export function clusterTls(spec: TlsSpec | undefined, inputs: ClusterInputs, subset: string): ClusterTls {
  switch (spec?.mode) {
    case "DISABLE":
      return {};
    case "SIMPLE":
    case "MUTUAL":
      return originated(spec, inputs);
    case "ISTIO_MUTUAL":
      return { tls: { kind: "always", tls: meshTls(inputs, subset, spec) } };
    default:
      return autoTls(inputs, subset);
  }
}

function autoTls(inputs: ClusterInputs, subset: string): ClusterTls {
  const { service, settings, endpoints } = inputs;
  if (service.external || !settings.autoMtls) return {};
  const mutual = meshTls(inputs, subset, undefined);
  // The endpoint is whatever address the client chose: there is nothing to read its sidecar from, so all of them must have one.
  if (isOriginalDestination(inputs)) {
    const all = !settings.plaintextAllowed || (endpoints.endpoints.length > 0 && endpoints.endpoints.every(({ hasSidecar }) => hasSidecar));
    return all ? { tls: { kind: "always", tls: mutual } } : {};
  }
  return { tls: { kind: "auto", mutual, plaintextAllowed: settings.plaintextAllowed } };
}

/** Wherever the client went: a ServiceEntry without resolution, or a headless service whose addresses the client got from DNS. */
export function isOriginalDestination({ service, proxyType, capture }: Pick<ClusterInputs, "service" | "proxyType" | "capture">): boolean {
  return service.resolution === "none" || (service.headless && proxyType === "sidecar" && capture === "redirect");
}

/** mTLS with secure naming: the peer must be one of the identities behind the service. */
function meshTls({ service, port, endpoints, settings }: ClusterInputs, subset: string, spec: TlsSpec | undefined): ClientTls {
  const declared = spec?.subjectAltNames ?? [];
  const names = declared.length > 0 ? declared : service.subjectAltNames.length > 0 ? service.subjectAltNames : endpoints.identities;
  // Without any workload no name can be right yet: one that nobody can have keeps the check in place.
  const nobody = `spiffe://${settings.trustDomain}/ns/${service.namespace}/sa/`;
  return {
    mode: "istio-mutual",
    certificateSecret: OWN_CERTIFICATE,
    trust: { secret: MESH_ROOTS },
    names: exactly(names.length > 0 ? withAliases(names, settings) : [nobody]),
    sni: spec?.sni ?? `outbound_.${port.number}_.${subset}_.${service.host}`,
    alpn: meshAlpn(port.protocol),
    ...(port.protocol === "auto" && { alpnOfHttp: MESH_ALPN.http1 }),
  };
}

/** Tells the peer what is inside, and that this TLS is the mesh's: a PERMISSIVE peer takes other TLS for its application's own. */
function meshAlpn(protocol: ClusterInputs["port"]["protocol"]): readonly string[] {
  if (isHttp2(protocol)) return MESH_ALPN.http2;
  return isHttp(protocol) ? MESH_ALPN.http1 : MESH_ALPN.tcp;
}

/** The same identities under the trust domain's other names. */
function withAliases(names: readonly string[], { trustDomain, trustDomainAliases }: ClusterInputs["settings"]): readonly string[] {
  const prefix = `spiffe://${trustDomain}/`;
  const aliased = trustDomainAliases.flatMap((alias) =>
    names.filter((name) => name.startsWith(prefix)).map((name) => `spiffe://${alias}/${name.slice(prefix.length)}`),
  );
  return [...new Set([...names, ...aliased])];
}

/** TLS to a server outside: its name is checked, against the system's roots where no others are given. */
function originated(spec: TlsSpec, { service, proxyType }: ClusterInputs): ClusterTls {
  if (spec.clientCertificate !== undefined || spec.privateKey !== undefined)
    return { unusable: "client certificates from files are not honoured yet; use credentialName at a gateway" };
  const credential =
    spec.credentialName === undefined || spec.credentialName === ""
      ? undefined
      : `kubernetes://${service.origin.ref.namespace}/${spec.credentialName}`;
  if (credential !== undefined && proxyType !== "router") return { unusable: "credentialName is honoured at gateways only" };
  if (spec.mode === "MUTUAL" && credential === undefined) return { unusable: "MUTUAL needs credentialName" };
  const sni = spec.sni ?? (isWildcardHost(service.host) ? undefined : service.host);
  const declared = spec.subjectAltNames ?? [];
  const names =
    declared.length > 0 ? declared : service.subjectAltNames.length > 0 ? service.subjectAltNames : sni === undefined ? [] : [sni];
  const unchecked = spec.insecureSkipVerify === true;
  if (names.length === 0 && !unchecked) return { unusable: "a wildcard host needs subjectAltNames or sni" };
  const trust: ClientTls["trust"] = unchecked
    ? { unchecked: true }
    : spec.caCertificates !== undefined && spec.caCertificates !== "system"
      ? { file: spec.caCertificates }
      : credential !== undefined
        ? { secret: `${credential}-cacert` }
        : { systemRoots: true };
  return {
    tls: {
      kind: "always",
      tls: {
        mode: spec.mode === "MUTUAL" ? "mutual" : "simple",
        ...(spec.mode === "MUTUAL" && credential !== undefined && { certificateSecret: credential }),
        trust,
        names: exactly(names),
        ...(sni !== undefined ? { sni } : { autoSni: true }),
        alpn: [],
      },
    },
  };
}

/** `*.example.com` and `prefix*` as Istio's subject names have them. */
function exactly(names: readonly string[]): readonly StringMatch[] {
  return names.map((value) => {
    if (value.startsWith("*")) return { kind: "suffix", value: value.slice(1) };
    return value.endsWith("*") ? { kind: "prefix", value: value.slice(0, -1) } : { kind: "exact", value };
  });
}
