import type { ProxyLogLine, Request } from "../../evaluate/index.ts";

/** Header lines in order, names in lower case, as they were on the wire. */
export type HeaderLines = readonly (readonly [name: string, value: string])[];

/** What an echo program listens on: a workload's ports, or those of a host outside the mesh. All is plain JSON. */
export interface EchoPort {
  /** undefined: of every address of the program's network namespace. */
  readonly address?: string;
  readonly port: number;
  /** Who answers there: `namespace/name` of a workload, or `external:HOST`; a host of `*` answers with the name that the client asked for. */
  readonly as: string;
  /** Ends TLS with this chain, and takes nothing else. */
  readonly tls?: { readonly chainPem: string; readonly keyPem: string };
  /** A line that the server sends first. */
  readonly greeting?: string;
}

/** One request that a client program sends. */
export interface ClientOrder {
  readonly protocol: Request["protocol"];
  readonly destination: Request["destination"];
  /** Address of the client's own that it connects from. */
  readonly localAddress?: string;
  /** `trustPem`: whom the client trusts; without it anyone. A certificate for mutual TLS as PEM. */
  readonly tls?: {
    readonly sni?: string;
    readonly alpn: readonly string[];
    readonly trustPem?: string;
    readonly chainPem?: string;
    readonly keyPem?: string;
  };
  readonly method: string;
  readonly authority: string;
  /** Raw, as on the wire. */
  readonly path: string;
  readonly headers: HeaderLines;
  readonly body: string;
  /** Milliseconds after which the client gives up. */
  readonly timeoutMs: number;
  /** Of tcp and tls: the client waits for the server's first line before it sends, as clients of server-first protocols do. */
  readonly serverFirst?: true;
}

/**
 * What the client saw. `timeout`: nothing within the time; `tls`: the handshake failed. `local`: the client's end of the connection, `address:port`, as the
 * other end sees it; absent where none was opened.
 */
export type ClientReport = { readonly local?: string } & (
  | {
      readonly kind: "response";
      readonly status: number;
      readonly headers: HeaderLines;
      readonly trailers: HeaderLines;
      readonly body: string;
      readonly elapsedMs: number;
      /** The connection or stream ended before the whole body had come. */
      readonly cut?: true;
    }
  | { readonly kind: "open"; readonly received: string; readonly elapsedMs: number }
  | { readonly kind: "closed" | "refused" | "tls" | "timeout"; readonly detail: string; readonly elapsedMs: number }
);

/** One request or connection that reached an application. `host` lines stay among the headers; a connection without a byte is none. */
export interface Arrival {
  /** `EchoPort.as`. */
  readonly at: string;
  readonly port: number;
  readonly peerAddress: string;
  readonly peerPort?: number;
  /** Whether the application itself ended TLS, and the name that it was asked for. */
  readonly tls: boolean;
  readonly sni?: string;
  readonly request?: {
    readonly protocol: "http1" | "http2" | "grpc";
    readonly method: string;
    readonly authority: string;
    readonly path: string;
    readonly headers: HeaderLines;
    readonly body: string;
  };
  /** The first bytes that came, of what is no HTTP. */
  readonly bytes?: string;
}

/** All that is known of one call's requests, in the order in which it happened. */
export interface Exchange {
  readonly reports: readonly ClientReport[];
  readonly arrivals: readonly Arrival[];
  readonly log: readonly ProxyLogLine[];
}
