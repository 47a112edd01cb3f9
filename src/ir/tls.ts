import type { StringMatch } from "./match.ts";

/** Names of SDS secrets, resolved by the proxy's agent: `default` and `ROOTCA` are its own, `kubernetes://name` a user's Secret. */
export interface ServerTls {
  /** The certificate shown; for MUTUAL the authority of the client's is beside it. */
  readonly certificateSecret: string;
  readonly clients:
    | { readonly kind: "none" }
    | { readonly kind: "required" | "optional"; readonly trustSecret: string; readonly names: readonly StringMatch[] };
  readonly minVersion: "1.2" | "1.3";
  readonly maxVersion?: "1.2" | "1.3";
  readonly cipherSuites?: readonly string[];
  readonly alpn: readonly string[];
}

/** TLS towards an endpoint. `names` empty means that the peer's name is not checked, which only `insecureSkipVerify` may ask for. */
export interface ClientTls {
  readonly mode: "istio-mutual" | "mutual" | "simple";
  readonly certificateSecret?: string;
  readonly trust: { readonly secret: string } | { readonly systemRoots: true } | { readonly file: string } | { readonly unchecked: true };
  readonly names: readonly StringMatch[];
  readonly sni?: string;
  /** The SNI follows the request's host where the resource names none. */
  readonly autoSni?: boolean;
  readonly alpn: readonly string[];
  /** Offered in its place where what goes inside is known to be HTTP, though the port's protocol is not declared. */
  readonly alpnOfHttp?: readonly string[];
}
