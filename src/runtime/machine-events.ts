import type { Diagnostic } from "../model/diagnostic.ts";
import type { ObservedPod, WaitedFor } from "./kubelet.ts";

/** What the machine tells the host, a line of JSON each on its standard output. */
export type MachineEvent =
  /** Network, resolver and relay are there; workloads start now. */
  | { readonly kind: "started" }
  | { readonly kind: "pods"; readonly pods: readonly ObservedPod[] }
  | { readonly kind: "diagnostics"; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: "error"; readonly message: string; readonly help?: string }
  /** While it stops, each second: the pods that are waited for. */
  | { readonly kind: "stopping"; readonly waitsFor: readonly WaitedFor[] }
  | { readonly kind: "stopped" };

/** What the host tells the machine, a line of JSON each on its standard input; the end of the input is the end of the machine. */
export type MachineOrder = { readonly kind: "stop" } | { readonly kind: "refresh" };

/** A line of the other side; undefined for anything that isn't one. */
export function parseLine<Line extends { readonly kind: string }>(text: string): Line | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && "kind" in value && typeof value.kind === "string" ? (value as Line) : undefined;
  } catch {
    return undefined;
  }
}
