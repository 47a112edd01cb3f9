import type { EchoInput } from "../../echo-program/protocol.ts";

/**
 * The lines between a lab and the child that it starts in fresh namespaces, each a JSON object. What comes from programs in the child passes
 * as it is: the child reads none of it.
 */
export type LabOrder =
  /** Makes the networks and starts the echo programs. */
  | { readonly kind: "open"; readonly mesh: number; readonly plan: MeshPlan }
  /** Starts the Envoys of a mesh that was opened. */
  | { readonly kind: "start"; readonly mesh: number }
  /** A line for one program of a mesh. */
  | { readonly kind: "tell"; readonly mesh: number; readonly program: ProgramId; readonly line: MeshProgramInput }
  | { readonly kind: "close"; readonly mesh: number };

/** The number of a pod, or the program in the mesh's own network, which stands for everything outside. */
export type ProgramId = number | "outside";

/** What the child must make for one mesh. */
export interface MeshPlan {
  readonly pods: readonly PodPlan[];
  /** Where its echo programs count the attempts of a call together. */
  readonly attemptsFolder: string;
}

export interface PodPlan {
  readonly address: string;
  readonly role: "sidecar" | "gateway" | "none";
  /** Bootstrap of its Envoy. */
  readonly bootstrapFile?: string;
}

/** For the program that stands for all outside: its addresses, and the names that the proxies' resolver knows. Answered by `placed`. */
export interface OutsideOrder {
  readonly kind: "place";
  readonly id: number;
  readonly addresses: readonly string[];
  readonly names: Readonly<Record<string, string>>;
}

export interface OutsideReport {
  readonly kind: "placed";
  readonly id: number;
  /** What went wrong, where something did. */
  readonly message?: string;
}

export type MeshProgramInput = EchoInput | OutsideOrder;

/** A report's line holds `line`, what a program said, where it isn't the child's own. */
export type LabReport =
  | { readonly kind: "opened"; readonly mesh: number }
  | { readonly kind: "failed"; readonly mesh: number; readonly message: string }
  /** A line of an echo program. */
  | { readonly kind: "said"; readonly mesh: number; readonly program: ProgramId; readonly line: unknown }
  /** A line of an Envoy's access log. */
  | { readonly kind: "log"; readonly mesh: number; readonly pod: number; readonly line: unknown }
  /** A program that must run has ended, with the last lines of its standard error. */
  | {
      readonly kind: "ended";
      readonly mesh: number;
      readonly what: "Envoy" | "echo program";
      readonly program: ProgramId;
      readonly how: string;
    }
  | { readonly kind: "closed"; readonly mesh: number };
