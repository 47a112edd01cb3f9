import type { Service } from "../model/service.ts";
import { byAge } from "./age.ts";
import type { Finding } from "./finding.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import { isExported, namespaceOfHost } from "./visibility.ts";

/** All that is declared for one host, the claim that owns it first. */
export interface HostClaims {
  readonly host: string;
  /** Whose the name is before anybody claims it, see `ownerOfName`. */
  readonly owner: string | undefined;
  readonly claims: readonly Service[];
}

export function claimsOf(host: string, owner: string | undefined, services: Iterable<Service>): HostClaims {
  const claims = [...services].sort((a, b) => rank(a, owner) - rank(b, owner) || byAge(a, b));
  return { host, owner, claims };
}

/**
 * Whose a name is before anybody claims it: names of the cluster's form, in full or short, are their namespace's. A namespace; empty for a name
 * that is no single namespace's (`*.svc.cluster.local`); undefined for one outside of the cluster's names.
 * @param shortNamed the namespace of the Kubernetes Service whose short form `name.namespace` the host is, where there is one
 */
export function ownerOfName(host: string, clusterDomain: string, shortNamed: string | undefined): string | undefined {
  const domain = `svc.${clusterDomain}`;
  const full = host.endsWith(".svc") ? `${host}.${clusterDomain}` : host;
  if (full === domain || full.endsWith(`.${domain}`)) return namespaceOfHost(full, clusterDomain) ?? "";
  // A wildcard above the cluster's domain covers all of its names.
  if (host.startsWith("*.") && `.${domain}`.endsWith(host.slice(1))) return "";
  return shortNamed;
}

/** Which of the claims a client in `viewer` means: its own namespace's goes first. */
export function seenFrom({ claims, owner }: HostClaims, viewer: string, { profile }: MeshSettings): Service | undefined {
  const mayServe = (claim: Service, place: number) =>
    profile !== "zero-trust" || claim.namespace === viewer || (place === 0 && mayOwn(claim, owner));
  const seen = claims.filter((claim, i) => isExported(claim.exportTo, claim.namespace, viewer) && mayServe(claim, i));
  return seen.find((claim) => claim.namespace === viewer) ?? seen[0];
}

/** What is wrong with the claims to a host. */
export function findingsOf({ claims, owner }: HostClaims, { profile }: MeshSettings): readonly Finding[] {
  return claims.flatMap((claim, i) => [
    ...(profile === "zero-trust" ? foreignClaim(claim, claims, owner) : []),
    ...(i > 0 ? secondClaim(claim, claims) : []),
  ]);
}

/** A Kubernetes Service owns its name; a name of the cluster's form belongs to its namespace; else the oldest claim wins. */
function rank(service: Service, owner: string | undefined): number {
  if (service.kind === "kubernetes") return 0;
  return mayOwn(service, owner) ? 1 : 2;
}

function mayOwn(service: Service, owner: string | undefined): boolean {
  return service.kind === "kubernetes" || owner === undefined || owner === service.namespace;
}

function foreignClaim(claim: Service, claims: readonly Service[], nameOwner: string | undefined): readonly Finding[] {
  const [first] = claims;
  const owner = (mayOwn(claim, nameOwner) ? first?.namespace : nameOwner) ?? "";
  if (owner === claim.namespace) return [];
  if (claim.exportTo.length > 0 && claim.exportTo.every((to) => to === "." || to === "~" || to === claim.namespace)) return [];
  const whose = owner === "" ? "is a name of the whole cluster" : `belongs to namespace "${owner}"`;
  return [
    {
      code: "KMK3003",
      message: `host "${claim.host}" ${whose}; this ${claim.origin.ref.kind} serves only clients of "${claim.namespace}"`,
      help: `set exportTo: ["."] if that is meant${owner === "" ? "" : `, or declare the host in namespace "${owner}"`}`,
      origin: claim.origin,
      ...(first !== undefined && first !== claim && { related: [{ message: "the host's owner", resource: first.origin.ref }] }),
    },
  ];
}

function secondClaim(claim: Service, claims: readonly Service[]): readonly Finding[] {
  const first = claims.find(({ namespace }) => namespace === claim.namespace);
  if (first === undefined || first === claim) return [];
  return [
    {
      code: "KMK2007",
      message: `host "${claim.host}" is already declared in this namespace; this one is not used`,
      help: "declare all of its ports in one resource",
      origin: claim.origin,
      related: [{ message: "the one that is used", resource: first.origin.ref }],
    },
  ];
}
