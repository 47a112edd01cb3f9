import type { Origin } from "../model/origin.ts";
import type { HttpConnection } from "./http-connection.ts";
import type { TcpConnection } from "./tcp-connection.ts";
import type { ServerTls } from "./tls.ts";

/** A socket (or, with `bindToPort: false`, a destination that `virtualOutbound` hands over to) and what happens to its connections. */
export interface Listener {
  /** Istio's names: `virtualOutbound`, `virtualInbound`, `0.0.0.0_80`, `10.96.4.7_3306`, `0.0.0.0_8443` at gateways. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly bindToPort: boolean;
  readonly direction: "inbound" | "outbound";
  /** Reads the destination that capture replaced, and looks for a listener of that address before its own chains. */
  readonly useOriginalDestination: boolean;
  /** What is read of a connection's first bytes before a chain is chosen. */
  readonly inspect: Inspection;
  readonly chains: readonly FilterChain[];
  readonly defaultChain?: FilterChain;
  readonly origin: readonly Origin[];
}

export interface Inspection {
  readonly tls: boolean;
  readonly http: boolean;
  readonly exceptPorts?: readonly number[];
  /** Where what is spoken is declared: HTTP is not looked for, which would hold a connection until its whole first line is there. */
  readonly httpExceptPorts?: readonly number[];
  /** Waits for them without a limit: silence would lead an HTTP client that connects long before it asks to a chain that is not its own. */
  readonly patient?: true;
}

export interface FilterChain {
  readonly name: string;
  readonly match: FilterChainMatch;
  /** Absent: the chain takes plaintext (or bytes that it passes on as they are). */
  readonly tls?: ServerTls;
  readonly connection: HttpConnection | TcpConnection;
  readonly origin: readonly Origin[];
}

/** Empty lists match everything. Envoy tries destination port, addresses, server names, transport protocol, application protocols in this order. */
export interface FilterChainMatch {
  readonly destinationPort?: number;
  readonly prefixes?: readonly string[];
  readonly serverNames?: readonly string[];
  readonly transportProtocol?: "tls" | "raw_buffer";
  readonly applicationProtocols?: readonly string[];
}
