import type { CompactNode, CompactSchema } from "../../src/schema/compact.ts";
import type { SourceKind } from "./kinds.ts";
import type { Shape } from "./shape.ts";

/** One list of nodes in which equal shapes are one node, and each kind's root. */
export function toCompactNodes(shapes: ReadonlyMap<string, Shape>): CompactSchema {
  const nodes: CompactNode[] = [];
  const known = new Map<string, number>();
  const add = (node: CompactNode): number => {
    const key = JSON.stringify(node);
    const index = known.get(key) ?? nodes.push(node) - 1;
    known.set(key, index);
    return index;
  };
  const visit = (shape: Shape): number => {
    switch (shape.is) {
      case "object": {
        const fields = Object.fromEntries([...shape.fields].map(([name, field]) => [name, visit(field.shape)]));
        const required = [...shape.fields].filter(([, field]) => field.required).map(([name]) => name);
        return add({
          is: "object",
          fields,
          ...(required.length > 0 && { required }),
          ...(shape.oneOf.length > 0 && { oneOf: shape.oneOf }),
        });
      }
      case "map":
        return add({ is: "map", values: visit(shape.values) });
      case "list":
        return add({ ...shape, items: visit(shape.items) });
      default:
        return add(shape);
    }
  };
  const kinds = Object.fromEntries([...shapes].map(([kind, shape]) => [kind, visit(shape)]));
  return { nodes, kinds };
}

/** `export interface PodBody { … }`: plain and readonly; of fields that exclude each other all are optional. */
export function toBodyType(kind: string, shape: Shape): string {
  return `export interface ${kind}Body ${toType(shape, "")}\n`;
}

function toType(shape: Shape, indent: string): string {
  const inner = `${indent}  `;
  switch (shape.is) {
    case "object": {
      const fields = [...shape.fields].map(
        ([name, field]) => `${inner}readonly ${JSON.stringify(name)}${field.required ? "" : "?"}: ${toType(field.shape, inner)};`,
      );
      return `{\n${fields.join("\n")}\n${indent}}`;
    }
    case "map":
      return `{ readonly [key: string]: ${toType(shape.values, inner)} }`;
    case "list":
      return `readonly (${toType(shape.items, inner)})[]`;
    case "string":
      return shape.enum === undefined ? "string" : shape.enum.map((text) => JSON.stringify(text)).join(" | ");
    case "number":
    case "integer":
      return "number";
    case "boolean":
      return "boolean";
    case "integer-or-string":
    case "quantity":
      return "string | number";
    case "any":
      return "unknown";
  }
}

/** JSON Schema (draft 2020-12) for editors; unknown fields are marked, as our own check does. */
export function toJsonSchema(kind: SourceKind, shape: Shape): unknown {
  const body = toSchema(shape, "") as { properties: object };
  const properties = {
    apiVersion: { enum: kind.apiVersions },
    kind: { const: kind.kind },
    metadata: { type: "object" },
    ...body.properties,
  };
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: kind.kind,
    ...body,
    required: ["apiVersion", "kind", "metadata"],
    properties,
  };
}

/** One schema for files of any kind, so that an editor needs one setting: what a document is checked against follows from its kind. */
export function toCombinedSchema(files: ReadonlyMap<string, string>): unknown {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "A resource that kumiko reads",
    type: "object",
    required: ["apiVersion", "kind"],
    allOf: [...files].map(([kind, file]) => ({
      if: { properties: { kind: { const: kind } }, required: ["kind"] },
      // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
      then: { $ref: `./${file}` },
    })),
  };
}

function toSchema(shape: Shape, description: string): object {
  const described = description === "" ? {} : { description };
  switch (shape.is) {
    case "object": {
      const required = [...shape.fields].filter(([, field]) => field.required).map(([name]) => name);
      const properties = Object.fromEntries([...shape.fields].map(([name, field]) => [name, toSchema(field.shape, field.description)]));
      const notBoth = shape.oneOf.map((names) => ({ oneOf: [{ not: { anyOf: names.map(requires) } }, ...names.map(requires)] }));
      return {
        ...described,
        type: "object",
        properties,
        additionalProperties: false,
        ...(required.length > 0 && { required }),
        ...(notBoth.length > 0 && { allOf: notBoth }),
      };
    }
    case "map":
      return { ...described, type: "object", additionalProperties: toSchema(shape.values, "") };
    case "list": {
      const { items, is: _, ...limits } = shape;
      return { ...described, type: "array", items: toSchema(items, ""), ...limits };
    }
    case "any":
      return described;
    case "integer-or-string":
      return { ...described, type: ["integer", "string"] };
    case "quantity":
      return { ...described, type: ["number", "string"] };
    default: {
      const { is, ...limits } = shape.is === "string" ? withoutFormat(shape) : shape;
      return { ...described, type: is, ...limits };
    }
  }
}

/** JSON Schema's own `duration` is that of ISO 8601. */
function withoutFormat(shape: Extract<Shape, { is: "string" }>): Shape {
  const { format, ...others } = shape;
  return format === undefined ? shape : others;
}

function requires(name: string): object {
  return { required: [name] };
}
