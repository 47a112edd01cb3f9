import { didYouMean } from "../base/did-you-mean.ts";
import { MeshError } from "../model/error.ts";
import { findKindByWord, type Kind, kinds } from "../schema/kinds.ts";

/** What kubectl's grammar can say: some kinds, all or some names of each. */
export interface Wanted {
  readonly kind: Kind;
  /** Empty: all of the kind. */
  readonly names: readonly string[];
}

/**
 * Reads `pods`, `vs,dr`, `pod users-1 users-2`, `pod/users-1 vs/reviews`, `virtualservices.networking.istio.io/reviews`.
 * Throws a `usage` MeshError with a did-you-mean for a kind that the mesh doesn't know, and for forms that can't be mixed.
 */
export function readResourceArgs(args: readonly string[]): readonly Wanted[] {
  const [first = ""] = args;
  if (first.includes("/")) return groupByKind(args.map((arg) => readPair(arg)));
  const pair = args.find((arg) => arg.includes("/"));
  if (pair !== undefined) {
    throw new MeshError("usage", `"${pair}" names a kind, but "${first}" before it does so for all`, {
      help: `write ${first}/NAME for each, or ${first} NAME NAME`,
    });
  }
  const names = args.slice(1);
  const wanted = first.split(",").filter((word) => word !== "");
  if (wanted.length === 0) throw new MeshError("usage", "no kind is named", { help: "kumiko get --help" });
  return wanted.map((word) => ({ kind: findKind(word), names }));
}

function readPair(arg: string): Wanted {
  const [kind = "", name = "", ...rest] = arg.split("/");
  if (kind === "" || name === "" || rest.length > 0) {
    throw new MeshError("usage", `"${arg}" is not of the form TYPE/NAME`, { help: "write it as in: kumiko get pods/users-1" });
  }
  return { kind: findKind(kind), names: [name] };
}

function groupByKind(pairs: readonly Wanted[]): readonly Wanted[] {
  const groups = new Map<Kind, string[]>();
  for (const { kind, names } of pairs) groups.set(kind, [...(groups.get(kind) ?? []), ...names]);
  return [...groups].map(([kind, names]) => ({ kind, names }));
}

function findKind(word: string): Kind {
  const found = findKindByWord(word);
  if (found !== undefined) return found;
  const near = didYouMean(
    word,
    kinds.flatMap((kind) => [kind.plural, kind.singular, ...kind.shortNames]),
  );
  throw new MeshError("usage", `there is no kind "${word}"${near === undefined ? "" : ` (did you mean "${near}"?)`}`, {
    help: "kumiko get   (lists the kinds)",
  });
}
