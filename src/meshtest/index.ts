/**
 * Tests of a mesh's behaviour (`kumiko test`, docs/meshtest.md). In: files with MeshTest documents; out: a verdict for each call, with the way that
 * the request took and the `file:line` that decided. A joint: it reads by `source/`, translates and evaluates by the core, and starts nothing but, where it is given a lab, the real proxies in there.
 */
export { type Coverage, type CoverageItem } from "./coverage.ts";
export type { FileError } from "./file-error.ts";
export { type Loaded, type LoadedFile, loadTests, stampOf, type Watched } from "./load.ts";
export type { Lab } from "./real/lab.ts";
export { mutate, type MutateOptions, type Mutation, type Survivor } from "./mutate/mutate.ts";
export { toJson, toJunit, toTap } from "./output.ts";
export { type CallResult, exitCodeOf, type PathStep, type TestRun } from "./result.ts";
export { type RunOptions, runTests } from "./run.ts";
