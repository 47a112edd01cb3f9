/**
 * What the sidecars of a mesh offer to each other by ALPN (Istio's words). A PERMISSIVE port tells the mesh's TLS from the application's own by
 * them, and a port without a declared protocol tells HTTP from bytes: clients offer the most telling word first.
 */
export const MESH_ALPN = {
  http1: ["istio-http/1.1", "istio"],
  http2: ["istio-h2", "istio"],
  tcp: ["istio"],
} as const;

/** Words that say: inside the mesh's TLS is HTTP. */
export const MESH_HTTP_ALPN: readonly string[] = ["istio-http/1.0", "istio-http/1.1", "istio-h2"];

/** Words that say: this TLS is the mesh's. */
export const MESH_TLS_ALPN: readonly string[] = [...MESH_HTTP_ALPN, "istio-peer-exchange", "istio"];
