/** Asks a kind's compiled validator for what the declarations leave out: whole numbers, ranges, lengths, patterns. */
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { SourceKind } from "./kinds.ts";
import type { Field, Shape } from "./shape.ts";

const modules = fileURLToPath(new URL("../../node_modules/", import.meta.url));

interface Complaint {
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: { readonly type?: string; readonly limit?: number; readonly pattern?: string };
}

type Validate = ((value: unknown) => boolean) & { errors?: readonly Complaint[] | null };

/** From the root to a shape: a field's name, or "*" for any key of a map and any item of a list. */
type Path = readonly { readonly into: "field" | "map" | "list"; readonly name: string }[];

const LONG_TEXT = "x".repeat(70_000);
const FAR = 1e18;

export async function addLimits(kind: SourceKind, shape: Shape): Promise<Shape> {
  const { validate } = (await import(pathToFileURL(join(modules, kind.validator)).href)) as { validate: Validate };
  const ask = (path: Path, value: unknown): readonly Complaint[] => {
    // Kubernetes' models know types only: its other rules are in the API server.
    if (kind.family === "kubernetes" && typeof value !== "number") return [];
    const pointer = path.map(({ into, name }) => (into === "list" ? "/0" : `/${name}`)).join("");
    validate({ apiVersion: kind.apiVersions[0], kind: kind.kind, metadata: { name: "x" }, ...(wrap(path, value) as object) });
    return (validate.errors ?? []).filter(({ instancePath }) => instancePath === pointer);
  };
  if (ask([{ into: "field", name: kind.family === "istio" ? "spec" : "metadata" }], 5).length === 0)
    throw new Error(`the validator of ${kind.kind} refuses nothing`);
  return refine(shape, [], ask);
}

function wrap(path: Path, value: unknown): unknown {
  return path.reduceRight((inner, { into, name }) => (into === "list" ? [inner] : { [name]: inner }), value);
}

type Ask = (path: Path, value: unknown) => readonly Complaint[];

function refine(shape: Shape, path: Path, ask: Ask): Shape {
  switch (shape.is) {
    case "object": {
      const fields = new Map<string, Field>();
      for (const [name, field] of shape.fields)
        fields.set(name, { ...field, shape: refine(field.shape, [...path, { into: "field", name }], ask) });
      return { ...shape, fields };
    }
    case "map":
      return { is: "map", values: refine(shape.values, [...path, { into: "map", name: "k" }], ask) };
    case "list": {
      const items = refine(shape.items, [...path, { into: "list", name: "" }], ask);
      return { is: "list", items, ...limit(ask(path, []), "minItems"), ...limit(ask(path, Array(3000).fill(null)), "maxItems") };
    }
    case "string": {
      const pattern = ask(path, "\n").find(({ keyword }) => keyword === "pattern")?.params.pattern;
      return {
        ...shape,
        ...limit(ask(path, ""), "minLength"),
        ...limit(ask(path, LONG_TEXT), "maxLength"),
        ...(pattern !== undefined && { pattern }),
      };
    }
    case "number": {
      const whole = ask(path, 1.5).some(({ keyword, params }) => keyword === "type" && params.type === "integer");
      return { is: whole ? "integer" : "number", ...limit(ask(path, -FAR), "minimum"), ...limit(ask(path, FAR), "maximum") };
    }
    default:
      return shape;
  }
}

function limit<Keyword extends string>(complaints: readonly Complaint[], keyword: Keyword): { [Key in Keyword]?: number } {
  const found = complaints.find((complaint) => complaint.keyword === keyword)?.params.limit;
  return (found === undefined ? {} : { [keyword]: found }) as { [Key in Keyword]?: number };
}
