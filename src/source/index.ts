/**
 * Where resources come from. In: files, folders, the store; out: Resources with a position for every node, and diagnostics.
 * Nothing in here throws on what a user wrote, and nothing a user wrote makes another file or resource go away.
 */
export { type FileSource, type FileSourceOptions, readFiles, startFileSource } from "./file-source.ts";
export { keptInStore, type KeptResources } from "./kept-resources.ts";
export { lastGoodInStore, type LastGoodTexts } from "./last-good.ts";
export { lastGoodKeysInStore, type LastGoodKeys } from "./last-good-keys.ts";
export { LIMITS } from "./limits.ts";
export { type Declared, mergeDeclared } from "./merge.ts";
export type { HeldRemoval } from "./removal-guard.ts";
export { readText, type ReadText } from "./read-text.ts";
export { startStoreSource, type StoreSourceOptions } from "./store-source.ts";
