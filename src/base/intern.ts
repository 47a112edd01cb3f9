/**
 * One object for all that have the same text, for as long as somebody holds it: makes an argument of a `part` out of a value. A part holds its
 * results, but not its arguments: who interns must see to it that something that lives long enough holds what comes of it.
 */
export class Interner<Value extends object> {
  readonly #byText = new Map<string, WeakRef<Value>>();
  readonly #gone = new FinalizationRegistry<string>((text) => {
    // A younger one may have taken its place.
    if (this.#byText.get(text)?.deref() === undefined) this.#byText.delete(text);
  });

  get(text: string, make: () => Value): Value {
    const known = this.#byText.get(text)?.deref();
    if (known !== undefined) return known;
    const made = make();
    this.#byText.set(text, new WeakRef(made));
    this.#gone.register(made, text);
    return made;
  }
}
