import type { ServerDuplexStream } from "@grpc/grpc-js";
import { readCertificate } from "../base/x509/index.ts";
import { formatIdentity, parseIdentity, type Identity } from "../model/identity.ts";
import type { Proxy } from "../model/proxy.ts";

/** `unix`: whoever may open the socket is this machine's agent. `mtls`: the certificate says who. `insecure`: a tool on loopback. */
export type Transport = "unix" | "mtls" | "insecure";

export interface Peer {
  readonly transport: Transport;
  /** mTLS: the one URI SAN of the certificate. Unix socket: what the agent says in the metadata `kumiko-identity`, if anything. */
  readonly identity: Identity | undefined;
  readonly address: string;
}

export const IDENTITY_HEADER = "kumiko-identity";

/** Who is calling, or why that can't be told; nothing of the call's messages is read for it. */
export function identifyPeer(call: ServerDuplexStream<Buffer, Buffer>, transport: Transport): Peer | string {
  const address = call.getPeer();
  if (transport === "insecure") return { transport, identity: undefined, address };
  if (transport === "mtls") {
    const raw = call.getAuthContext()?.sslPeerCertificate?.raw;
    const identity = raw === undefined ? undefined : identityOf(raw);
    return identity === undefined ? "the client certificate has no SPIFFE id of this mesh" : { transport, identity, address };
  }
  const [claimed] = call.metadata.get(IDENTITY_HEADER);
  if (claimed === undefined) return { transport, identity: undefined, address };
  const identity = parseIdentity(String(claimed));
  return identity === undefined ? `metadata ${IDENTITY_HEADER} is not a SPIFFE id of this mesh` : { transport, identity, address };
}

/** Exactly one URI SAN counts, read from the certificate's DER: Node's text form of the names can be forged by a name. */
export function identityOf(der: Uint8Array): Identity | undefined {
  try {
    const { uris } = readCertificate(der).names;
    return uris.length === 1 && uris[0] !== undefined ? parseIdentity(uris[0]) : undefined;
  } catch {
    return undefined;
  }
}

/** A peer with an identity may only be a proxy of that namespace and service account. */
export function mayBe(peer: Peer, proxy: Proxy): true | string {
  if (peer.identity === undefined) return peer.transport === "mtls" ? "no identity" : true;
  const { namespace, serviceAccount } = peer.identity;
  if (namespace === proxy.namespace && serviceAccount === proxy.serviceAccount) return true;
  return `${formatIdentity(peer.identity)} may not be a proxy of ${proxy.namespace}/${proxy.serviceAccount}`;
}

/** One enterprise root may sign for several meshes: a peer of another trust domain has no part in this one. */
export function isOfDomain({ identity }: Peer, trustDomain: string): true | string {
  if (identity === undefined || identity.trustDomain === trustDomain) return true;
  return `${formatIdentity(identity)} is not of this mesh's trust domain, ${trustDomain}`;
}
