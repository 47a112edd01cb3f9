import { constants } from "node:http2";
import { Metadata, status, type ServerDuplexStream } from "@grpc/grpc-js";

/** One side of a discovery stream: ready-made buffers in and out. */
export type DiscoveryCall = ServerDuplexStream<Buffer, Buffer>;

const failed = new WeakSet<DiscoveryCall>();

/** Ends a call with a status; safe to call twice. */
export function failCall(call: DiscoveryCall, code: status, details: string): void {
  if (hasFailed(call) || call.cancelled || call.destroyed) return;
  failed.add(call);
  call.emit("error", { code, details, metadata: new Metadata() });
}

/** The status is on its way. Nothing may be written any more: a write would take its place, and the client would wait for ever. */
export function hasFailed(call: DiscoveryCall): boolean {
  return failed.has(call);
}

interface Http2StreamLike {
  close(code: number): void;
  destroy(): void;
}

/**
 * Ends a call whose client doesn't read. A status would wait behind what is queued, so the HTTP/2 stream itself is closed and its buffers go.
 * grpc-js keeps that stream to itself; where it can't be found the status is queued and keep-alive has to end the connection.
 */
export function abortCall(call: DiscoveryCall, details: string): void {
  const stream = findHttp2Stream(call);
  if (stream === undefined) {
    failCall(call, status.DEADLINE_EXCEEDED, details);
    return;
  }
  stream.close(constants.NGHTTP2_CANCEL);
  stream.destroy();
}

function findHttp2Stream(call: DiscoveryCall): Http2StreamLike | undefined {
  let layer: unknown = call;
  for (const key of ["call", "stream"]) layer = typeof layer === "object" && layer !== null ? Reflect.get(layer, key) : undefined;
  return isHttp2Stream(layer) ? layer : undefined;
}

function isHttp2Stream(value: unknown): value is Http2StreamLike {
  return typeof value === "object" && value !== null && "close" in value && "destroy" in value;
}
