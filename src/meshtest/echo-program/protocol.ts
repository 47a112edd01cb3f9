import type { Arrival, ClientOrder, ClientReport, EchoPort } from "../real/exchange.ts";

/**
 * The lines between a lab and one echo program (`kumiko test-echo`), each a JSON object. The program ends when its standard input ends.
 *
 * All texts are UTF-8 on the wire, paths and header values too: so Envoy gets them in its configuration. Only `Arrival.bytes` has one character
 * for one byte.
 */
export type EchoInput =
  /** Replaces the set of ports: those that stay keep their connections. Answered by `listening`. */
  | { readonly kind: "listen"; readonly id: number; readonly ports: readonly EchoPort[] }
  /** Sends one request at once, beside those that are under way. Answered by `report`. */
  | { readonly kind: "send"; readonly id: number; readonly order: ClientOrder }
  /** Answered by `flushed`, after all arrivals that were there before it: what other programs' clients have seen is then in. */
  | { readonly kind: "flush"; readonly id: number };

export type EchoOutput =
  /** `failed`: ports that could not be opened, with the reason; the others are open. */
  | { readonly kind: "listening"; readonly id: number; readonly failed: readonly FailedPort[] }
  | { readonly kind: "report"; readonly id: number; readonly report: ClientReport }
  /** Written before the request is answered. Of a connection that is no HTTP: at its first bytes, at once where the server speaks first; none without a byte. */
  | { readonly kind: "arrival"; readonly arrival: Arrival }
  /** A connection that ended in its TLS handshake, or spoke TLS where the port has none (or the reverse): no application saw it. */
  | { readonly kind: "tls-failed"; readonly at: string; readonly port: number; readonly peerAddress: string; readonly detail: string }
  | { readonly kind: "flushed"; readonly id: number }
  /** A line that can't be used; `id` where it could be read. */
  | { readonly kind: "error"; readonly id?: number; readonly message: string };

export interface FailedPort {
  readonly address?: string;
  readonly port: number;
  readonly message: string;
}

/** Limits of one echo program. */
export const ECHO_LIMITS = {
  lineBytes: 8 << 20,
  ports: 2_000,
  sendsAtOnce: 2_000,
  headBytes: 256 << 10,
  bodyBytes: 4 << 20,
  timeoutMs: 600_000,
} as const;
