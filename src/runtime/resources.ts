import type { Resource } from "../model/resource.ts";
import type { MeshConfigBody } from "../schema/mesh-config.ts";
import type { ConfigMapBody, SecretBody } from "../schema/bodies.ts";

/** As much of a resource as the runtime reads. */
export type DeclaredResource = Pick<Resource, "kind" | "metadata" | "body">;

/** The kinds that `subscribe` must deliver. */
export const RUNTIME_KINDS = ["Deployment", "StatefulSet", "ConfigMap", "Secret", "Service", "ServiceEntry", "MeshConfig"] as const;

/** Calls back with all resources of `RUNTIME_KINDS`: as soon as they are known, and after each change. Returns how to end it. */
export type Subscribe = (listener: (resources: readonly DeclaredResource[]) => void) => () => void;

/** Finds ConfigMaps and Secrets by name. */
export class ResourceTable {
  readonly #byKey: ReadonlyMap<string, DeclaredResource>;
  readonly all: readonly DeclaredResource[];

  constructor(resources: readonly DeclaredResource[]) {
    this.all = resources;
    this.#byKey = new Map(
      resources.map((resource) => [keyOf(resource.kind, resource.metadata.namespace, resource.metadata.name), resource]),
    );
  }

  configMap(namespace: string, name: string): ConfigMapBody | undefined {
    return this.#byKey.get(keyOf("ConfigMap", namespace, name))?.body as ConfigMapBody | undefined;
  }

  /** The mesh's settings: the first in order of namespace, where there are several. */
  meshConfig(): MeshConfigBody | undefined {
    const all = this.all.filter(({ kind }) => kind === "MeshConfig");
    return all.toSorted((a, b) => (a.metadata.namespace < b.metadata.namespace ? -1 : 1))[0]?.body as MeshConfigBody | undefined;
  }

  secret(namespace: string, name: string): SecretBody | undefined {
    return this.#byKey.get(keyOf("Secret", namespace, name))?.body as SecretBody | undefined;
  }
}

function keyOf(kind: string, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}
