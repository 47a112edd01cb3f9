import { isDeepStrictEqual } from "node:util";
import { type Charge, copy, type Fields, isFields, sizeOf } from "./values.ts";

/** Why a patch can't be applied. */
export class WrongPatch extends Error {}

/** Applies operations of RFC 6902 to a copy. @throws WrongPatch where one can't be carried out; then nothing is. @throws TooLarge */
export function applyJsonPatch(target: Fields, operations: readonly unknown[], charge: Charge): Fields {
  const root = { "": copy(target) as unknown };
  for (const operation of operations) {
    if (!isFields(operation)) throw new WrongPatch("an operation is no map");
    applyOne(root, operation, charge);
  }
  const { "": result } = root;
  if (!isFields(result)) throw new WrongPatch("it leaves no resource");
  return result;
}

function applyOne(root: object, operation: Fields, charge: Charge): void {
  const { op, value } = operation;
  charge(sizeOf(operation));
  const path = pointer(operation["path"]);
  switch (op) {
    case "add":
      return add(root, path, required(operation, value));
    case "remove":
      return void remove(root, path);
    case "replace":
      read(root, path);
      return replace(root, path, required(operation, value));
    case "move":
      return add(root, path, remove(root, pointer(operation["from"])));
    case "copy":
      return add(root, path, copied(read(root, pointer(operation["from"])), charge));
    case "test":
      if (!isDeepStrictEqual(copy(read(root, path)), copy(value))) throw new WrongPatch(`test of ${format(path)} fails`);
      return;
    default:
      throw new WrongPatch(`${JSON.stringify(op)} is no operation`);
  }
}

function copied(value: unknown, charge: Charge): unknown {
  charge(sizeOf(value));
  return copy(value);
}

function required(operation: Fields, value: unknown): unknown {
  if (!("value" in operation)) throw new WrongPatch("an operation lacks its value");
  return copy(value);
}

type Pointer = readonly string[];

function pointer(value: unknown): Pointer {
  if (typeof value !== "string" || (value !== "" && !value.startsWith("/")))
    throw new WrongPatch("an operation's path does not begin with /");
  return value.split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function format(path: Pointer): string {
  return path.map((step) => step.replaceAll("~", "~0").replaceAll("/", "~1")).join("/");
}

function parentOf(root: object, path: Pointer): { readonly parent: unknown; readonly key: string } {
  let parent: unknown = root;
  for (const [depth, step] of path.slice(0, -1).entries()) {
    parent = child(parent, step);
    if (parent === undefined) throw new WrongPatch(`there is no ${format(path.slice(0, depth + 1))}`);
  }
  return { parent, key: path.at(-1) ?? "" };
}

function child(parent: unknown, step: string): unknown {
  if (Array.isArray(parent)) return parent[index(step, parent.length - 1)];
  return typeof parent === "object" && parent !== null && Object.hasOwn(parent, step) ? (parent as Fields)[step] : undefined;
}

function index(step: string, last: number): number {
  const at = /^(0|[1-9]\d{0,6})$/.test(step) ? Number(step) : -1;
  if (at < 0 || at > last) throw new WrongPatch(`${JSON.stringify(step)} is no place in the list`);
  return at;
}

function read(root: object, path: Pointer): unknown {
  const { parent, key } = parentOf(root, path);
  const found = child(parent, key);
  if (found === undefined) throw new WrongPatch(`there is no ${format(path)}`);
  return found;
}

function add(root: object, path: Pointer, value: unknown): void {
  const { parent, key } = parentOf(root, path);
  if (Array.isArray(parent)) parent.splice(key === "-" ? parent.length : index(key, parent.length), 0, value);
  else if (typeof parent === "object" && parent !== null) (parent as Fields)[key] = value;
  else throw new WrongPatch(`${format(path.slice(0, -1))} holds nothing`);
}

function replace(root: object, path: Pointer, value: unknown): void {
  const { parent, key } = parentOf(root, path);
  (parent as Fields)[key] = value;
}

function remove(root: object, path: Pointer): unknown {
  const found = read(root, path);
  const { parent, key } = parentOf(root, path);
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete (parent as Fields)[key];
  return found;
}
