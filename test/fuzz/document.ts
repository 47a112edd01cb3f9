import { stringify } from "yaml";
import { WORKLOADS } from "./topology.ts";

/** One document of a mesh, as a person would write it. */
export interface Document {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec?: unknown;
  readonly data?: unknown;
}

/** A call as a MeshTest has it. */
export interface FuzzCall {
  readonly from: Readonly<Record<string, unknown>>;
  readonly request: Readonly<Record<string, unknown>> & { readonly url: string };
}

/** One generated mesh and the requests made in it. */
export interface FuzzCase {
  readonly profile: "istio" | "zero-trust";
  readonly documents: readonly Document[];
  readonly calls: readonly FuzzCall[];
}

/** The MeshTest of a case. What it expects is left to who compares, or given call by call. */
export function toYaml({ profile, documents, calls }: FuzzCase, name: string, expected: readonly object[] = []): string {
  const test = {
    apiVersion: "kumiko.dev/v1alpha1",
    kind: "MeshTest",
    metadata: { name, namespace: "shop" },
    spec: {
      profile,
      workloads: WORKLOADS,
      calls: calls.map((call, i) => ({ name: `call ${i}`, ...call, expect: expected[i] ?? { body: "" } })),
    },
  };
  return [test, ...documents].map((document) => stringify(document, { lineWidth: 0, aliasDuplicateObjects: false })).join("---\n");
}
