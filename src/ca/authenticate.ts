import type { Metadata, ServerUnaryCall } from "@grpc/grpc-js";
import { DerError, readCertificate } from "../base/x509/index.ts";
import { type Identity, parseIdentity } from "../model/identity.ts";
import type { JoinTokens } from "./join-token.ts";

/** What a caller showed of itself. */
export interface Caller {
  readonly metadata: Metadata;
  /** The peer's address as gRPC says it: `10.0.0.7:41234`, or empty on a Unix socket. */
  readonly address: string;
  /** DER of the certificate that TLS has verified against the mesh's roots; undefined without TLS or without a certificate. */
  readonly certificate: Uint8Array | undefined;
}

/** Whose certificate a caller may have. */
export interface Grant {
  readonly identity: Identity;
  /** Asked last before a certificate for this public key is made; false refuses. Absent: any key will do. */
  readonly claim?: (publicKey: Uint8Array) => Promise<boolean>;
}

/** Says whose certificate the caller may have; `unknown` refuses, `too-many-wrong` tells a guesser to wait. */
export type Authenticate = (caller: Caller) => Promise<Grant | Denial>;

export type Denial = "unknown" | "too-many-wrong";

/** gRPC metadata by which this machine's agent names the workload that it asks for. */
export const IDENTITY_KEY = "kumiko-identity";
/** gRPC metadata that carries a join token, as `Bearer <token>`. */
export const TOKEN_KEY = "authorization";

/**
 * For the control plane's Unix socket: who may open it (0600 in a 0700 folder) is this machine's agent and names the identity. Must never
 * be used for a port.
 */
export function authenticateLocalAgent(trustDomain: string): Authenticate {
  return async ({ metadata }) => {
    const values = metadata.get(IDENTITY_KEY);
    const identity = values.length === 1 && typeof values[0] === "string" ? parseIdentity(values[0]) : undefined;
    return identity?.trustDomain === trustDomain ? { identity } : "unknown";
  };
}

export interface RemoteAgents {
  readonly trustDomain: string;
  readonly tokens: JoinTokens;
  /** A workload of this identity is declared: a certificate of one that was taken out of the mesh renews no more. */
  readonly isMember: (identity: Identity) => boolean;
}

/** For a port: the identity of the verified client certificate, else that of a join token; nothing that the caller merely says. */
export function authenticateRemoteAgent({ trustDomain, tokens, isMember }: RemoteAgents): Authenticate {
  return async ({ metadata, address, certificate }) => {
    if (certificate !== undefined) {
      const identity = identityOf(certificate, trustDomain);
      return identity !== undefined && isMember(identity) ? { identity } : "unknown";
    }
    const values = metadata.get(TOKEN_KEY);
    const token = values.length === 1 && typeof values[0] === "string" ? /^Bearer (\S+)$/.exec(values[0])?.[1] : undefined;
    if (token === undefined) return "unknown";
    const answer = await tokens.redeem(token, address.replace(/:\d+$/, ""));
    if (typeof answer === "string") return answer === "wrong" ? "unknown" : answer;
    return answer.identity.trustDomain === trustDomain ? answer : "unknown";
  };
}

/** The identity in a certificate that TLS has verified; undefined where it hasn't exactly one URI name of the mesh's form. */
export function identityOf(certificate: Uint8Array, trustDomain: string): Identity | undefined {
  try {
    const { uris } = readCertificate(certificate).names;
    const identity = uris.length === 1 ? parseIdentity(uris[0] ?? "") : undefined;
    return identity?.trustDomain === trustDomain ? identity : undefined;
  } catch (thrown) {
    if (thrown instanceof DerError) return undefined;
    throw thrown;
  }
}

/** Reads what gRPC knows of a caller; works for streaming calls too. */
export function callerOf(call: Pick<ServerUnaryCall<unknown, unknown>, "metadata" | "getPeer" | "getAuthContext">): Caller {
  const certificate = call.getAuthContext().sslPeerCertificate?.raw;
  return { metadata: call.metadata, address: call.getPeer(), certificate };
}
