/**
 * What a document may say. In: plain data with positions; out: a frozen Resource, or why there is none, as diagnostics.
 * Nothing in here reads a file, knows another resource, or changes what the document says beyond leaving out `null`.
 * Commands that only need names of kinds import `kinds.ts`, which loads no schema.
 */
export type * from "./bodies.ts";
export { type CheckedDocument, checkDocument, type RawDocument } from "./check-document.ts";
export { findRegexFault } from "./format.ts";
export { apiVersionOf, findKind, findKindByWord, type Kind, kinds, restricts } from "./kinds.ts";
export type { MeshConfigBody, Profile } from "./mesh-config.ts";
export { PROXY_CONFIG } from "./proxy-config.ts";
export { isStandIn, strictestOf } from "./strictest.ts";
