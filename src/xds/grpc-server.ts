import { Server } from "@grpc/grpc-js";
import { isLoopback } from "../base/index.ts";
import { MeshError } from "../model/error.ts";
import { DEFAULT_LIMITS, type XdsLimits } from "./limits.ts";

/**
 * A gRPC server with limits; bind it to a Unix socket, or to TCP with mTLS credentials (`requestCert`, checked against the mesh's roots).
 * `maxConnectionAgeMs`: no connection lives longer, for mTLS at most as long as a certificate; the agents come back with their new one.
 */
export function createGrpcServer(limits: Partial<XdsLimits> & { readonly maxConnectionAgeMs?: number } = {}): Server {
  return new Server({
    "grpc.max_receive_message_length": limits.maxRequestBytes ?? DEFAULT_LIMITS.maxRequestBytes,
    "grpc.max_send_message_length": -1,
    // An agent brings the streams of all its Envoys over one connection.
    "grpc.max_concurrent_streams": 1_000,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.max_connection_idle_ms": 300_000,
    ...(limits.maxConnectionAgeMs !== undefined && {
      "grpc.max_connection_age_ms": limits.maxConnectionAgeMs,
      "grpc.max_connection_age_grace_ms": 5_000,
    }),
  });
}

/** Plaintext xDS is for tools on this machine. @throws MeshError `usage` for an address that others can reach. */
export function checkLoopback(address: string): void {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2] ?? "";
  if ((host === "localhost" || isLoopback(host)) && Number(match?.[3]) <= 65_535) return;
  throw new MeshError("usage", `insecure xDS is served on a loopback address only, not on ${JSON.stringify(address)}`, {
    help: "--insecure-xds 127.0.0.1:15010",
  });
}
