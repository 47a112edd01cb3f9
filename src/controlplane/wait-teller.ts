import type { WaitedFor } from "../runtime/index.ts";

/** Tells what a mesh that stops waits for: each pod once, and again when it waits for something else. */
export class WaitTeller {
  readonly #say: (line: string) => void;
  readonly #told = new Set<string>();

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  /** Takes all pods that are waited for now. */
  see(waitsFor: readonly WaitedFor[]): void {
    for (const { namespace, name, waitsFor: what, open, atMostMs } of waitsFor) {
      const key = `${namespace}/${name} ${what}`;
      if (this.#told.has(key)) continue;
      if (this.#told.size === 0) this.#say("Ctrl-C again ends it at once");
      this.#told.add(key);
      const still = open === 1 ? "1 open connection or request" : `${open} open connections and requests`;
      const why = what === "application" ? `its application to end${open > 0 ? `, with ${still}` : ""}` : still;
      this.#say(`waits for ${namespace}/${name}: ${why} (${Math.ceil(atMostMs / 1000)} s at most)`);
    }
  }
}
