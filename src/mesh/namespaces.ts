import type { ResourceTable } from "./resource-table.ts";

/** Namespaces that were declared, with their labels. */
export class NamespaceIndex {
  readonly #table: ResourceTable;

  constructor(table: ResourceTable) {
    this.#table = table;
  }

  /** Labels of a namespace; empty for one that nobody declared. */
  labelsOf(namespace: string): Readonly<Record<string, string>> {
    return this.#table.find({ kind: "Namespace", namespace: "", name: namespace })?.metadata.labels ?? {};
  }

  has(namespace: string): boolean {
    return this.#table.find({ kind: "Namespace", namespace: "", name: namespace }) !== undefined;
  }
}
