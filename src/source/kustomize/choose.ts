import { dirname, resolve, sep } from "node:path";
import { quote } from "../../base/shell.ts";
import { diagnostic, type Diagnostic } from "../../model/diagnostic.ts";
import { findTree, type KnownLayers, type Tree } from "./tree.ts";

export interface Chosen {
  /** To be rendered. */
  readonly trees: readonly Tree[];
  /** Whether a file belongs to a kustomization, rendered or not, and so is no resource by itself. */
  readonly owns: (file: string) => boolean;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Which of the kustomizations below a path are meant: the one that stands in the path itself, else each that no other one takes in. Where several
 * of those take in the same files (overlays of one base), nobody knows which, and none is read.
 * @param path as it was given: a folder, or the file of a kustomization
 */
export async function chooseKustomizations(path: string, files: readonly string[], known: KnownLayers): Promise<Chosen> {
  const trees: Tree[] = [];
  for (const file of files) trees.push(await findTree(file, known));
  const taken = new Set(trees.flatMap(({ file, layers }) => [...layers.keys()].filter((folder) => folder !== dirname(resolve(file)))));
  const owned = new Set(trees.flatMap((tree) => [...tree.files.keys()]));
  const unclear = trees.flatMap((tree) => tree.unclear);
  const owns = (file: string) => owned.has(file) || unclear.some((folder) => file.startsWith(`${folder}${sep}`));
  const heads = trees.filter(({ file }) => !taken.has(dirname(resolve(file))));
  const given = resolve(path);
  const own = trees.find(({ file }) => dirname(resolve(file)) === given || resolve(file) === given);
  if (own !== undefined) return { trees: [own], owns, diagnostics: heads.filter((tree) => tree !== own).map((tree) => notPart(tree, own)) };
  const components = heads.filter(({ root }) => root?.isComponent === true);
  const groups = groupShared(heads.filter((tree) => !components.includes(tree)));
  return {
    trees: groups.filter(({ length }) => length === 1).flat(),
    owns,
    diagnostics: [...groups.filter(({ length }) => length > 1).map(oneOf), ...components.map(notTaken)],
  };
}

/** Kustomizations that take in the same files or bases stand together. */
function groupShared(trees: readonly Tree[]): readonly (readonly Tree[])[] {
  const groups: { readonly trees: Tree[]; readonly inputs: Set<string> }[] = [];
  for (const tree of trees) {
    const inputs = new Set([...tree.layers.keys(), ...tree.files.keys()]);
    const shared = groups.filter((group) => [...inputs].some((input) => group.inputs.has(input)));
    for (const group of shared) groups.splice(groups.indexOf(group), 1);
    groups.push({
      trees: [...shared.flatMap((group) => group.trees), tree],
      inputs: new Set([...inputs, ...shared.flatMap((group) => [...group.inputs])]),
    });
  }
  return groups.map((group) => group.trees);
}

function oneOf(trees: readonly Tree[]): Diagnostic {
  const folders = trees.map(({ file }) => quote(dirname(file)));
  const message = `${trees.length} kustomizations build on the same files, and none of them is read: nothing says which one is meant`;
  return diagnostic("KMK0007", { message, help: `name the folder of one: ${folders.join(" or ")}`, position: top(trees[0]) });
}

function notPart(tree: Tree, own: Tree): Diagnostic {
  const message = `no part of ${own.file}, and not read`;
  const help = `if it is meant, name its folder, too: ${quote(dirname(tree.file))}`;
  return { ...diagnostic("KMK1004", { message, help, position: top(tree) }), severity: "info" };
}

function notTaken(tree: Tree): Diagnostic {
  const help = "name it under components of a kustomization";
  return diagnostic("KMK1004", { message: "a component that no kustomization here takes in: it is not read", help, position: top(tree) });
}

function top(tree: Tree | undefined) {
  return { file: tree?.file ?? "", line: 1, column: 1 };
}
