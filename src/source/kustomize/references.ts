import { type ReferenceSpec, REFERENCES } from "./field-specs.ts";
import { type Id, idOf, inDefault, isClusterScoped, type Item } from "./item.ts";
import { type Fields, isFields, textOf, visit } from "./values.ts";

/** A name that several resources had, with different names now. */
export interface Ambiguous {
  readonly item: Item;
  readonly name: string;
}

/** Writes the current names of what was renamed into the fields that refer to it by a former one. */
export function updateReferences(items: readonly Item[]): readonly Ambiguous[] {
  const byName = new Map<string, Item[]>();
  for (const item of items)
    for (const name of new Set(item.former.map((id) => id.name))) byName.set(name, [...(byName.get(name) ?? []), item]);
  const ambiguous: Ambiguous[] = [];
  for (const item of items) {
    const { kind } = idOf(item.value);
    for (const spec of REFERENCES.filter(({ from }) => from.includes(kind)))
      visit(item.value, spec.path, (holder, key) => {
        const value = holder[key];
        const update = (name: string, namespace?: string) => {
          const found = findReferral({ byName, item, spec }, name, namespace);
          if (found === "several") ambiguous.push({ item, name });
          return found === "several" ? undefined : found;
        };
        if (spec.isMap) for (const map of Array.isArray(value) ? value : [value]) updateMap(map, update);
        else if (Array.isArray(value)) holder[key] = value.map((name: unknown) => nameOf(update(textOf(name))) ?? name);
        else if (typeof value === "string") holder[key] = nameOf(update(value)) ?? value;
      });
  }
  return ambiguous;
}

type Update = (name: string, namespace?: string) => Item | undefined;

function updateMap(map: unknown, update: Update): void {
  if (!isFields(map)) return;
  const found = update(textOf(map["name"]), typeof map["namespace"] === "string" ? map["namespace"] : undefined);
  if (found === undefined) return;
  const { name, namespace } = idOf(found.value);
  (map as Fields)["name"] = name;
  if (namespace !== "") (map as Fields)["namespace"] = namespace;
}

function nameOf(item: Item | undefined): string | undefined {
  return item === undefined ? undefined : idOf(item.value).name;
}

interface Referring {
  readonly byName: ReadonlyMap<string, readonly Item[]>;
  readonly item: Item;
  readonly spec: ReferenceSpec;
}

function findReferral({ byName, item, spec }: Referring, name: string, namespace?: string): Item | "several" | undefined {
  const own = idOf(item.value);
  const kind = spec.path.at(-2) === "roleRef" && isFields(item.value["roleRef"]) ? textOf(item.value["roleRef"]["kind"]) : undefined;
  let found = (byName.get(name) ?? []).filter((known) => {
    const id = idOf(known.value);
    return (
      spec.to.includes(id.kind) &&
      (kind === undefined || kind === id.kind) &&
      isReachable(own, id) &&
      (namespace === undefined || [known.former[0] ?? id, id].some((one) => one.namespace === namespace))
    );
  });
  if (found.length > 1) found = found.filter((known) => isOfSameLine(known, item));
  const [first] = found;
  const isOne = first !== undefined && found.every((known) => nameOf(known) === nameOf(first));
  return found.length > 0 && !isOne ? "several" : first;
}

function isReachable(own: Id, other: Id): boolean {
  if (isClusterScoped(own) || isClusterScoped(other) || other.kind === "ServiceAccount") return true;
  return inDefault(own.namespace) === inDefault(other.namespace);
}

/** Both came through layers that add the same. */
function isOfSameLine(one: Item, other: Item): boolean {
  return isEnd(one.prefixes, other.prefixes) && isEnd(one.suffixes, other.suffixes);
}

function isEnd(one: readonly string[], other: readonly string[]): boolean {
  const shared = Math.min(one.length, other.length);
  return one.slice(one.length - shared).join("\0") === other.slice(other.length - shared).join("\0");
}
