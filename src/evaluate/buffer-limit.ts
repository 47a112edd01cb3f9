import type { Listener } from "../gen/envoy/config/listener/v3/listener_pb.js";
import type { HttpConnectionManager } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { HttpMessage } from "./http-message.ts";

/** Envoy's own limit of a connection's buffer. */
const CONNECTION_BYTES = 1 << 20;
/** Envoy's own window of an HTTP/2 stream. */
const STREAM_BYTES = 16 << 20;

/** How much of a request a connection manager holds back: of HTTP/1 the connection's buffer, of HTTP/2 the stream's window. */
export function bufferLimitOf(
  { perConnectionBufferLimitBytes }: Listener,
  { http2ProtocolOptions }: HttpConnectionManager,
  { version }: HttpMessage,
): number {
  return version === "http1"
    ? (perConnectionBufferLimitBytes ?? CONNECTION_BYTES)
    : (http2ProtocolOptions?.initialStreamWindowSize ?? STREAM_BYTES);
}
