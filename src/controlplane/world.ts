import { randomUUID } from "node:crypto";
import { emptyTree, lookUp, type Tree, valuesOf, withOrWithout } from "../base/tree.ts";
import { emptyMesh, type Mesh, type MeshSettingsOptions, type ResourceEdit } from "../mesh/index.ts";
import { type Diagnostic, diagnostic } from "../model/diagnostic.ts";
import type { KeySetBody } from "../model/jwks.ts";
import { formatRef, type LocatedResource, type Resource, type ResourceRef, refOf } from "../model/resource.ts";

export type Holder = "folder" | "store" | "runtime";

export interface Held {
  readonly resource: LocatedResource;
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
  /** Changes with the content of any resource, not with its position; another one in each process. */
  readonly revision: string;
  /** By `Kind/namespace/name`. */
  readonly held: Tree<Held>;
  readonly diagnostics: readonly Diagnostic[];
}

/** An earlier one wins. */
const NAMES: readonly InputName[] = ["folder", "store", "keys"];

interface Known {
  readonly byKey: ReadonlyMap<string, Held>;
  readonly diagnostics: readonly Diagnostic[];
}

const NOTHING: Known = { byKey: new Map(), diagnostics: [] };

/** Merges what the sources know into one World. A resource in the folder wins over an applied one of its name, and that is said. */
export class WorldKeeper {
  readonly #process = randomUUID();
  readonly #inputs = new Map<InputName, Known>();
  /** What loses against another source's resource of its name, by key. */
  readonly #shadowed = new Map<string, readonly Diagnostic[]>();
  #edits = 0;
  #world: World;

  constructor(options: MeshSettingsOptions) {
    this.#world = { mesh: emptyMesh(options), held: emptyTree(), diagnostics: [], revision: this.#revision() };
  }

  get world(): World {
    return this.#world;
  }

  set(name: InputName, { held, diagnostics }: Input): World {
    const before = this.#inputs.get(name) ?? NOTHING;
    const after: Known = { byKey: byKey(held), diagnostics };
    this.#inputs.set(name, after);
    const edits: ResourceEdit[] = [];
    let tree = this.#world.held;
    for (const [key, ref] of differences(before.byKey, after.byKey)) {
      const [winner, ...losers] = NAMES.flatMap((source) => this.#inputs.get(source)?.byKey.get(key) ?? []);
      tree = withOrWithout(tree, key, winner);
      edits.push({ ref, resource: winner && withoutPlace(winner.resource) });
      if (winner === undefined || losers.length === 0) this.#shadowed.delete(key);
      else
        this.#shadowed.set(
          key,
          losers.map((loser) => shadowed(loser.resource, winner.resource)),
        );
    }
    const mesh = this.#world.mesh.with(edits);
    this.#world = Object.freeze({
      mesh,
      held: tree,
      diagnostics: [...NAMES.flatMap((source) => this.#inputs.get(source)?.diagnostics ?? []), ...[...this.#shadowed.values()].flat()],
      revision: mesh === this.#world.mesh ? this.#world.revision : this.#revision(),
    });
    return this.#world;
  }

  #revision(): string {
    return `${this.#process}-${++this.#edits}`;
  }
}

/** The first of two of one name counts. */
function byKey(held: readonly Held[]): ReadonlyMap<string, Held> {
  return new Map(held.toReversed().map((entry) => [formatRef(refOf(entry.resource)), entry]));
}

function* differences(before: ReadonlyMap<string, Held>, after: ReadonlyMap<string, Held>): Iterable<readonly [string, ResourceRef]> {
  for (const [key, entry] of after) if (!isSame(before.get(key), entry)) yield [key, refOf(entry.resource)];
  for (const [key, { resource }] of before) if (!after.has(key)) yield [key, refOf(resource)];
}

function isSame(one: Held | undefined, other: Held): boolean {
  return one?.resource === other.resource && one.revision === other.revision && one.holder === other.holder;
}

/** Where a resource stands is asked of the World: the mesh keeps the first object of equal content, whose place may be an old one. */
function withoutPlace({ apiVersion, kind, metadata, body, hash }: LocatedResource): Resource {
  return Object.freeze({ apiVersion, kind, metadata, body, hash });
}

function shadowed(loser: LocatedResource, winner: LocatedResource): Diagnostic {
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
  for (const { resource } of valuesOf(world.held)) {
    if (resource.kind !== "RequestAuthentication") continue;
    const { spec } = resource.body as {
      readonly spec?: { readonly jwtRules?: readonly { readonly jwksUri?: string; readonly jwks?: string }[] };
    };
    for (const { jwksUri, jwks } of spec?.jwtRules ?? []) if (jwksUri !== undefined && jwks === undefined) uris.add(jwksUri);
  }
  return [...uris].sort();
}

export function heldKeySets(resources: readonly LocatedResource<KeySetBody>[]): readonly Held[] {
  return resources.map((resource) => ({ resource, revision: resource.hash, holder: "runtime" }));
}

export function findHeld(world: World, ref: ResourceRef): Held | undefined {
  return lookUp(world.held, formatRef(ref));
}
