import { formatIpv4 } from "../base/cidr.ts";
import { stableHash } from "../base/stable-hash.ts";
import { emptyTree, entriesOf, lookUp, type Tree, treeOf, withEntry, withoutEntry } from "../base/tree.ts";

/** Addresses for Kubernetes Services without a `clusterIP`, 10.96.0.0/16, and for ServiceEntry hosts without one, 240.240.0.0/16 (Istio's). */
const FIRST = { kubernetes: 0x0a600000, "service-entry": 0xf0f00000 } as const;
/** The first and the last addresses of the range are left out: network, broadcast and gateway by convention. */
const PLACES = 65_000;
const OFFSET = 256;
/** More names than this get none: runs of places grow long before the last place is taken. */
const MOST = 50_000;

/** An address that the mesh chose for a name; the same object for as long as the name keeps it. */
export interface Allocation {
  readonly address: string;
  readonly place: number;
}

/**
 * Gives every name an address of its own. The same names always get the same addresses, in whatever order they came: a name stands at the place
 * that it hashes to, or at the next that no name before it in the alphabet has (ordered hashing: Amble and Knuth, 1974). One name more or less
 * moves others only where they share a run of places. More names than addresses: the last ones get none.
 */
export class AddressPool {
  readonly #kind: keyof typeof FIRST;
  readonly #names: Tree<Allocation>;
  /** By place; as text, in order. */
  readonly #places: Tree<string>;
  /** Names for which there is no place. */
  readonly #rest: Tree<true>;

  private constructor(kind: keyof typeof FIRST, names: Tree<Allocation>, places: Tree<string>, rest: Tree<true>) {
    this.#kind = kind;
    this.#names = names;
    this.#places = places;
    this.#rest = rest;
  }

  static empty(kind: keyof typeof FIRST): AddressPool {
    return new AddressPool(kind, emptyTree(), emptyTree(), emptyTree());
  }

  find(name: string): Allocation | undefined {
    return lookUp(this.#names, name);
  }

  /** The pool after names came and went, and whose address is another one now. */
  with(come: Iterable<string>, gone: Iterable<string>): { readonly pool: AddressPool; readonly moved: ReadonlySet<string> } {
    const draft = new Draft(this.#kind, this.#names, this.#places, this.#rest);
    for (const name of gone) draft.remove(name);
    for (const name of come) draft.add(name);
    draft.fill();
    if (draft.moved.size === 0 && draft.rest === this.#rest) return { pool: this, moved: draft.moved };
    return { pool: new AddressPool(this.#kind, draft.names, draft.places, draft.rest), moved: draft.moved };
  }
}

class Draft {
  readonly moved = new Set<string>();
  names: Tree<Allocation>;
  places: Tree<string>;
  rest: Tree<true>;
  readonly #kind: keyof typeof FIRST;
  readonly #before: Tree<Allocation>;

  constructor(kind: keyof typeof FIRST, names: Tree<Allocation>, places: Tree<string>, rest: Tree<true>) {
    this.#kind = kind;
    this.#before = names;
    this.names = names;
    this.places = places;
    this.rest = rest;
  }

  add(name: string): void {
    if (lookUp(this.names, name) !== undefined || lookUp(this.rest, name) !== undefined) return;
    this.moved.add(name);
    if (this.rest.size === 0 && this.names.size < MOST) this.#settle(name);
    else this.rest = withEntry(this.rest, name, true);
  }

  remove(name: string): void {
    const own = lookUp(this.names, name);
    if (own === undefined) {
      this.rest = withoutEntry(this.rest, name);
      return;
    }
    this.#free(name, own.place);
    // Those after it in its run may now stand nearer to their own place.
    const run: string[] = [];
    for (let place = next(own.place); ; place = next(place)) {
      const other = lookUp(this.places, textOf(place));
      if (other === undefined) break;
      this.#free(other, place);
      run.push(other);
    }
    for (const other of run) this.#settle(other);
  }

  /** Where some got none, the first of the alphabet are those who get one. */
  fill(): void {
    if (this.rest.size === 0) return;
    const all = [...entriesOf(this.names), ...entriesOf(this.rest)].map(([name]) => name).sort();
    this.names = emptyTree();
    this.places = emptyTree();
    this.rest = treeOf(all.slice(MOST).map((name) => [name, true] as const));
    for (const name of all.slice(0, MOST)) this.#settle(name);
    for (const name of all) {
      if (lookUp(this.#before, name) === lookUp(this.names, name)) this.moved.delete(name);
      else this.moved.add(name);
    }
  }

  #settle(name: string): void {
    let own = name;
    for (let place = placeOf(own); ; place = next(place)) {
      const other = lookUp(this.places, textOf(place));
      if (other !== undefined && other < own) continue;
      this.#put(own, place);
      if (other === undefined) return;
      own = other;
    }
  }

  #put(name: string, place: number): void {
    this.places = withEntry(this.places, textOf(place), name);
    if (lookUp(this.names, name)?.place === place) return;
    const known = lookUp(this.#before, name);
    const made = () => ({ address: formatIpv4(FIRST[this.#kind] + OFFSET + place), place });
    this.names = withEntry(this.names, name, known?.place === place ? known : made());
    this.moved.add(name);
  }

  #free(name: string, place: number): void {
    this.places = withoutEntry(this.places, textOf(place));
    this.names = withoutEntry(this.names, name);
    this.moved.add(name);
  }
}

function next(place: number): number {
  return (place + 1) % PLACES;
}

function placeOf(name: string): number {
  return Number.parseInt(stableHash(name).slice(0, 8), 16) % PLACES;
}

function textOf(place: number): string {
  return String(place).padStart(5, "0");
}
