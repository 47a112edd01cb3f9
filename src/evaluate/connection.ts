import type { HttpMessage } from "./http-message.ts";

/** What a TLS client says first, and the certificate that it shows when asked. */
export interface ClientHello {
  readonly sni: string;
  readonly alpn: readonly string[];
  readonly certificate?: { readonly uri: string; readonly trusted: boolean; readonly expired: boolean };
  /** Why the client does not take the server's certificate; a client without this takes any. */
  readonly verify?: (server: ServerCertificate) => string | undefined;
}

/** Who a TLS server says that it is, and whose authority says so. */
export interface ServerCertificate {
  readonly authority: "mesh" | "outside";
  readonly uris: readonly string[];
  readonly dns: readonly string[];
}

/** What flows over a connection, from the outside in. */
export type Stream =
  | { readonly kind: "tls"; readonly hello: ClientHello; readonly inside: Stream }
  | { readonly kind: "http"; readonly message: HttpMessage }
  | { readonly kind: "bytes" };

export interface Connection {
  /** The address that the other side sees. */
  readonly source: string;
  readonly destination: { readonly address: string; readonly port: number };
  readonly stream: Stream;
}

/** A connection behind a proxy's filter chain: TLS of the chain is ended, and its peer is known. */
export interface Accepted extends Connection {
  readonly tls?: { readonly sni: string; readonly peer?: string; readonly trusted: boolean };
}

/** How far a connection is for who opened it: one in TLS that nobody has ended yet is still being opened. */
export function phaseOf({ stream }: Pick<Connection, "stream">): "connect" | "later" {
  return stream.kind === "tls" ? "connect" : "later";
}
