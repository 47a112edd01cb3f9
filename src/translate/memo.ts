/** How many results one generation keeps. */
const GENERATION = 50_000;

/**
 * Results by the key of their inputs. What was asked for lately stays; the rest goes when a generation is full, so that memory is bounded
 * whatever the mesh does.
 */
export class Memo {
  #young = new Map<string, unknown>();
  #old = new Map<string, unknown>();

  /** The result for a key, made where it isn't known. The key must say everything that `make` reads, and begin with what it makes. */
  get<Result>(key: string, make: () => Result): Result {
    if (this.#young.has(key)) return this.#young.get(key) as Result;
    const result = this.#old.has(key) ? (this.#old.get(key) as Result) : make();
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, result);
    return result;
  }
}

const numbers = new WeakMap<object, number>();
let last = 0;

/** A number for an object, the same for as long as the object lives: a short key for results of a memo, which are never changed. */
export function identityOf(value: object): number {
  let number = numbers.get(value);
  if (number === undefined) numbers.set(value, (number = ++last));
  return number;
}
