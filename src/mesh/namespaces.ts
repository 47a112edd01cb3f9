import type { Resource } from "../model/resource.ts";

/** Namespaces that were declared, with their labels. */
export class NamespaceIndex {
  readonly #labels: ReadonlyMap<string, Readonly<Record<string, string>>>;

  constructor(resources: Iterable<Resource>) {
    const labels = new Map<string, Readonly<Record<string, string>>>();
    for (const { kind, metadata } of resources) if (kind === "Namespace") labels.set(metadata.name, metadata.labels);
    this.#labels = labels;
  }

  /** Labels of a namespace; empty for one that nobody declared. */
  labelsOf(namespace: string): Readonly<Record<string, string>> {
    return this.#labels.get(namespace) ?? {};
  }

  has(namespace: string): boolean {
    return this.#labels.has(namespace);
  }
}
