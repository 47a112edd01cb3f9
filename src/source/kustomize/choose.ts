import { basename, dirname, resolve, sep } from "node:path";
import { quote } from "../../base/shell.ts";
import { diagnostic, type Diagnostic } from "../../model/diagnostic.ts";
import { findTree, type KnownLayers, type Tree } from "./tree.ts";

/** What kustomizations are made of, wherever it lies; absolute paths. */
export interface Taken {
  /** Of kustomizations. */
  readonly folders: readonly string[];
  /** Kustomizations and what they name. */
  readonly files: readonly string[];
}

export interface Chosen {
  /** To be rendered. */
  readonly trees: readonly Tree[];
  /** Whether a file belongs to a kustomization, rendered or not, and so is no resource by itself. */
  readonly owns: (file: string) => boolean;
  /** Kustomizations that nobody can say are meant, and folders of which nobody can say what is taken: what they declared before stays. */
  readonly unclear: readonly string[];
  readonly taken: Taken;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Which of the kustomizations below a path are meant: the one that stands in the path itself, else each that no other one takes in. Where several
 * of those take in the same files (overlays of one base), nobody knows which, and none is read.
 * @param path as it was given: a folder, or the file of a kustomization
 */
export async function chooseKustomizations(path: string, files: readonly string[], known: KnownLayers): Promise<Chosen> {
  const byFolder = Map.groupBy(files, (file) => dirname(resolve(file)));
  const several = [...byFolder].filter(([, { length }]) => length > 1);
  const trees: Tree[] = [];
  for (const [file, second] of byFolder.values()) if (file !== undefined && second === undefined) trees.push(await findTree(file, known));
  const owned = new Set(trees.flatMap((tree) => [...tree.files.keys()]));
  const folders = [...trees.flatMap((tree) => tree.unclear), ...several.map(([folder]) => folder)];
  const owns = (file: string) => owned.has(file) || folders.some((folder) => file.startsWith(`${folder}${sep}`));
  const taken: Taken = {
    folders: [...new Set([...folders, ...trees.flatMap(({ layers }) => [...layers.keys()])])],
    files: [
      ...new Set([
        ...files.map((file) => resolve(file)),
        ...trees.flatMap(({ layers }) => [...layers.values()].map(({ file }) => file)),
        ...owned,
      ]),
    ],
  };
  const given = resolve(path);
  const twice = several.map(([, doubled]) => onlyOne(doubled));
  if (byFolder.get(given)?.[1] !== undefined) return { trees: [], owns, unclear: folders, taken, diagnostics: twice };
  const heads = headsOf(trees);
  const own = trees.find(({ file }) => dirname(resolve(file)) === given || resolve(file) === given);
  if (own !== undefined) {
    const others = heads.filter((tree) => tree !== own).map((tree) => notPart(tree, own));
    return { trees: [own], owns, unclear: folders, taken, diagnostics: [...twice, ...others] };
  }
  const components = heads.filter(({ root }) => root?.isComponent === true);
  const groups = groupShared(heads.filter((tree) => !components.includes(tree)));
  const contested = groups.filter(({ length }) => length > 1);
  return {
    trees: groups.filter(({ length }) => length === 1).flat(),
    owns,
    taken,
    unclear: [...folders, ...contested.flat().map(({ file }) => resolve(file))],
    diagnostics: [...twice, ...contested.map(oneOf), ...components.map(notTaken)],
  };
}

/** Those that no other one takes in; of some that take in each other the first, which says so. */
function headsOf(trees: readonly Tree[]): readonly Tree[] {
  const folderOf = ({ file }: Tree) => dirname(resolve(file));
  const taken = new Set(trees.flatMap((tree) => [...tree.layers.keys()].filter((folder) => folder !== folderOf(tree))));
  const heads = trees.filter((tree) => !taken.has(folderOf(tree)));
  const covered = new Set(heads.flatMap((tree) => [folderOf(tree), ...tree.layers.keys()]));
  for (const tree of trees) {
    if (covered.has(folderOf(tree))) continue;
    heads.push(tree);
    for (const folder of tree.layers.keys()) covered.add(folder);
  }
  return heads;
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

function onlyOne(files: readonly string[]): Diagnostic {
  const [file = ""] = files;
  const message = `${dirname(file)} has several kustomizations, and none of them is read: ${files.map((one) => basename(one)).join(", ")}`;
  return diagnostic("KMK0007", { message, help: "keep one of them", position: { file, line: 1, column: 1 } });
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
