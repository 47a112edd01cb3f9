/**
 * The certificate authority: a folder of keys and a request come in, X.509-SVIDs go out.
 * Nothing of a request is used but its public key; no key of a workload ever comes here, and none of ours leaves.
 */
export {
  type Authenticate,
  authenticateLocalAgent,
  authenticateRemoteAgent,
  type Caller,
  callerOf,
  type Denial,
  type Grant,
  IDENTITY_KEY,
  identityOf,
  TOKEN_KEY,
} from "./authenticate.ts";
export { type Authority, type AuthoritySettings, openAuthority, type SignedCertificate, type SigningRequest } from "./authority.ts";
export {
  createJoinTokens,
  type JoinTokens,
  MAX_JOIN_TOKEN_MS,
  type Registration,
  rootPin,
} from "./join-token.ts";
export { type CaEvent, type CaService, registerCa } from "./service.ts";
export { listenTls, type TlsPort } from "./tls-port.ts";
