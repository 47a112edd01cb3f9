/** The name of a trust domain: what stands between `spiffe://` and the first slash. */
export type TrustDomain = string;

/** Whose certificate it is. Exactly one URI SAN carries it (SPIFFE X.509-SVID, section 2). */
export interface Identity {
  readonly trustDomain: TrustDomain;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** The control plane's own: agents know it by this identity, so no workload may have it. */
export function controlPlaneIdentity(trustDomain: TrustDomain): Identity {
  return { trustDomain, namespace: "kumiko-system", serviceAccount: "kumiko" };
}

export function isControlPlane(identity: Identity): boolean {
  return formatIdentity(identity) === formatIdentity(controlPlaneIdentity(identity.trustDomain));
}

const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const SEGMENT = /^[A-Za-z0-9._-]+$/;

/** `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`. */
export function formatIdentity(identity: Identity): string {
  return `spiffe://${identity.trustDomain}/ns/${identity.namespace}/sa/${identity.serviceAccount}`;
}

/**
 * Reads a SPIFFE id of the mesh's form; undefined for anything else: another path, a query, a fragment, a percent sign, an empty or dotted
 * segment (SPIFFE-ID, section 2).
 */
export function parseIdentity(uri: string): Identity | undefined {
  const match = /^spiffe:\/\/([^/]+)\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(uri);
  const [, trustDomain = "", namespace = "", serviceAccount = ""] = match ?? [];
  if (!TRUST_DOMAIN.test(trustDomain) || !isSegment(namespace) || !isSegment(serviceAccount)) return undefined;
  return { trustDomain, namespace, serviceAccount };
}

function isSegment(text: string): boolean {
  return SEGMENT.test(text) && text !== "." && text !== "..";
}
