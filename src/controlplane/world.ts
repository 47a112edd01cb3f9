import { stableHash } from "../base/stable-hash.ts";
import { createMesh } from "../mesh/index.ts";
import type { Mesh } from "../mesh/mesh.ts";
import { resolveMeshSettings } from "../mesh/mesh-settings.ts";
import { type Diagnostic, diagnostic } from "../model/diagnostic.ts";
import type { KeySetBody } from "../model/jwks.ts";
import { formatRef, type Resource, type ResourceRef, refOf } from "../model/resource.ts";
import type { Profile } from "../schema/mesh-config.ts";

export type Holder = "folder" | "store" | "runtime";

export interface Held {
  readonly resource: Resource;
  readonly revision: string;
  readonly holder: Holder;
}

/** What one source knows: all of it, each time. */
export interface Input {
  readonly held: readonly Held[];
  readonly diagnostics: readonly Diagnostic[];
}

export type InputName = "folder" | "store" | "keys";

/** Everything that is declared at one moment, merged and indexed. Nothing in it changes. */
export interface World {
  readonly mesh: Mesh;
  /** Changes with the content of any resource, not with its position. */
  readonly revision: string;
  /** By `Kind/namespace/name`. */
  readonly held: ReadonlyMap<string, Held>;
  readonly diagnostics: readonly Diagnostic[];
}

const NOTHING: Input = { held: [], diagnostics: [] };

export interface WorldOptions {
  readonly profile?: Profile;
  readonly trustDomain?: string;
}

/** Merges what the sources know into one World. A resource in the folder wins over an applied one of its name, and that is said. */
export class WorldKeeper {
  readonly #options: WorldOptions;
  readonly #inputs = new Map<InputName, Input>();
  #world: World;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#world = this.#build();
  }

  get world(): World {
    return this.#world;
  }

  set(name: InputName, input: Input): World {
    this.#inputs.set(name, input);
    this.#world = this.#build();
    return this.#world;
  }

  #build(): World {
    const diagnostics: Diagnostic[] = [];
    const held = new Map<string, Held>();
    for (const name of ["folder", "store", "keys"] as const) {
      const input = this.#inputs.get(name) ?? NOTHING;
      diagnostics.push(...input.diagnostics);
      for (const entry of input.held) {
        const key = formatRef(refOf(entry.resource));
        const winner = held.get(key);
        if (winner === undefined) held.set(key, entry);
        else diagnostics.push(shadowed(entry.resource, winner.resource));
      }
    }
    const resources = [...held.values()].map(({ resource }) => resource);
    const mesh = createMesh(resources, resolveMeshSettings(resources, this.#options));
    return Object.freeze({
      mesh,
      held,
      diagnostics,
      revision: stableHash(resources.map((resource) => [formatRef(refOf(resource)), resource.hash]).sort()),
    });
  }
}

function shadowed(loser: Resource, winner: Resource): Diagnostic {
  const { file, line } = winner.locate([]);
  return diagnostic("KMK0005", {
    message: `the applied ${formatRef(refOf(loser))} has no effect: ${file}:${line} declares it too`,
    help: `kumiko delete ${loser.kind.toLowerCase()} ${loser.metadata.name} -n ${loser.metadata.namespace}, or take it out of the file`,
    resource: refOf(loser),
    position: loser.locate([]),
    related: [{ message: "declared here", resource: refOf(winner) }],
  });
}

/** The uris that RequestAuthentications fetch their keys from. */
export function keySetUris(world: World): readonly string[] {
  const uris = new Set<string>();
  for (const { resource } of world.held.values()) {
    if (resource.kind !== "RequestAuthentication") continue;
    const { spec } = resource.body as {
      readonly spec?: { readonly jwtRules?: readonly { readonly jwksUri?: string; readonly jwks?: string }[] };
    };
    for (const { jwksUri, jwks } of spec?.jwtRules ?? []) if (jwksUri !== undefined && jwks === undefined) uris.add(jwksUri);
  }
  return [...uris].sort();
}

export function heldKeySets(resources: readonly Resource<KeySetBody>[]): readonly Held[] {
  return resources.map((resource) => ({ resource, revision: resource.hash, holder: "runtime" }));
}

export function findHeld(world: World, ref: ResourceRef): Held | undefined {
  return world.held.get(formatRef(ref));
}
