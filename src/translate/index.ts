/**
 * Translation of Istio's resources to Envoy's. In: a Mesh and one proxy; out: all resources of that proxy, with their origins, and diagnostics.
 * Pure: no I/O, no clock, the same bytes for the same input. Nothing here throws for what a user wrote.
 */
export { type EnvoyResource, type ResourceType, type Snapshot, TYPE_URLS, type TypeUrl } from "./envoy/resource.ts";
export { type DanglingReference, findDanglingReferences, toSnapshot } from "./snapshot.ts";
export { createTranslator, type Translator } from "./translator.ts";
