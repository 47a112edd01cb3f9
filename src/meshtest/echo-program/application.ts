import { setTimeout as delay } from "node:timers/promises";
import type { Target } from "../../evaluate/index.ts";
import { answerOf } from "../echo.ts";
import type { Arrival, EchoPort, HeaderLines } from "../real/exchange.ts";
import type { AttemptCounts } from "./attempt-counts.ts";
import { valueOf } from "./http1-message.ts";
import type { EchoOutput } from "./protocol.ts";

/** What is known of a connection before anything is read from it. */
export interface ConnectionFacts {
  readonly port: EchoPort;
  readonly localAddress: string;
  readonly peerAddress: string;
  readonly peerPort?: number;
  readonly tls: boolean;
  readonly sni?: string;
}

interface WebAnswer {
  readonly status: number;
  /** The name of the gRPC status, for a gRPC request. */
  readonly grpcStatus?: string;
}

type WebRequest = NonNullable<Arrival["request"]>;

/** The application behind all ports of one echo program: says what arrived, and answers as the evaluator takes it to answer. */
export class EchoApplication {
  readonly #emit: (output: EchoOutput) => void;
  readonly #counts: AttemptCounts;

  constructor(emit: (output: EchoOutput) => void, counts: AttemptCounts) {
    this.#emit = emit;
    this.#counts = counts;
  }

  /**
   * A request is there as a whole; resolves when it is to be answered. `asking`: the headers that say how, where they are not the request's own
   * (of an authorization check, those of the request that it is about).
   */
  async answer(facts: ConnectionFacts, request: WebRequest, asking?: HeaderLines): Promise<WebAnswer> {
    const at = nameAt(facts, request.authority);
    this.#emit({ kind: "arrival", arrival: { ...arrivalOf(facts, at), request } });
    const { body: _sentBack, ...head } = request;
    const { status, delayMs, grpcStatus } = answerOf({
      ...head,
      headers: asking ?? request.headers,
      to: targetOf(at),
      port: facts.port.port,
      attempt: this.#attemptOf(request, asking),
    });
    if (delayMs !== undefined) await delay(delayMs);
    return { status, ...(grpcStatus !== undefined && { grpcStatus }) };
  }

  /** A connection that is no HTTP has sent its first bytes, or is greeted. */
  connected(facts: ConnectionFacts, bytes: Buffer | undefined): void {
    const shown = bytes === undefined ? {} : { bytes: bytes.toString("latin1", 0, SHOWN_BYTES) };
    this.#emit({ kind: "arrival", arrival: { ...arrivalOf(facts, nameAt(facts, undefined)), ...shown } });
  }

  tlsFailed(facts: Pick<ConnectionFacts, "port" | "peerAddress">, detail: string): void {
    const { port, peerAddress } = facts;
    this.#emit({ kind: "tls-failed", at: port.as, port: port.port, peerAddress, detail });
  }

  failed(error: unknown): void {
    this.#emit({ kind: "error", message: `a connection failed: ${error instanceof Error ? error.message : String(error)}` });
  }

  /** Counted only where it changes the answer. A mirror's copy, whose authority Envoy marks so, and a check are no attempts of the call. */
  #attemptOf({ authority, headers }: WebRequest, asking: HeaderLines | undefined): number {
    if (valueOf(asking ?? headers, "x-echo-status")?.includes(",") !== true) return 1;
    const id = valueOf(asking ?? headers, "x-request-id");
    if (id === undefined) return 1;
    if (asking !== undefined) return this.#counts.next(`${id} checked`);
    return this.#counts.next(/-shadow(:\d+)?$/.test(authority) ? `${id} mirrored` : id);
  }
}

/** Of what is no HTTP an arrival shows so much. */
const SHOWN_BYTES = 1024;

function arrivalOf({ port, peerAddress, peerPort, tls, sni }: ConnectionFacts, at: string): Arrival {
  return { at, port: port.port, peerAddress, ...(peerPort !== undefined && { peerPort }), tls, ...(sni !== undefined && { sni }) };
}

/** Where the port stands for many hosts: the name asked for in TLS, else in HTTP, else the address. */
function nameAt({ port, sni, localAddress }: ConnectionFacts, authority: string | undefined): string {
  if (!port.as.startsWith("external:*")) return port.as;
  const host = authority?.replace(/:\d*$/, "").toLowerCase();
  return `external:${sni ?? (host === undefined || host === "" ? localAddress : host)}`;
}

function targetOf(at: string): Target {
  if (at.startsWith("external:")) return { external: at.slice("external:".length) };
  const [namespace = "", name = ""] = at.split("/");
  return { namespace, name };
}

/** As the evaluator tells gRPC by its content type. */
export function isGrpcType(headers: HeaderLines): boolean {
  return /^application\/grpc($|[+;])/.test(valueOf(headers, "content-type") ?? "");
}
