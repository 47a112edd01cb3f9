/**
 * Writes `src/gen/schema/`: what every kind's API declares, taken from the typed models of Kubernetes and Istio (development dependencies).
 * `kubernetes.js`, `istio.js`: compact nodes for our own validator; `bodies.d.ts`: plain types of the same; `editor/*.json`: JSON Schemas with the
 * APIs' descriptions, and MeshTest's. Fields come from the declarations; limits, patterns and whole numbers from the models' compiled validators, by asking them.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readDeclaration } from "./gen-schema/declaration.ts";
import { addFormats } from "./gen-schema/formats.ts";
import { addLimits } from "./gen-schema/limits.ts";
import { toBodyType, toCombinedSchema, toCompactNodes, toJsonSchema } from "./gen-schema/output.ts";
import { KINDS, type SourceKind } from "./gen-schema/kinds.ts";
import type { Shape } from "./gen-schema/shape.ts";
import { KIND as MESH_TEST, toEditorSchema } from "../src/meshtest/document-schema.ts";

export async function generateSchemas(output: string): Promise<void> {
  rmSync(output, { recursive: true, force: true });
  mkdirSync(join(output, "editor"), { recursive: true });
  const shapes = new Map<SourceKind, Shape>();
  for (const kind of KINDS) shapes.set(kind, addFormats(kind, await addLimits(kind, readDeclaration(kind))));
  for (const family of ["kubernetes", "istio"] as const) {
    const ofFamily = [...shapes].filter(([kind]) => kind.family === family);
    const nodes = toCompactNodes(new Map(ofFamily.map(([kind, shape]) => [kind.kind, shape])));
    writeFileSync(join(output, `${family}.js`), `export const schema = JSON.parse(${JSON.stringify(JSON.stringify(nodes))});\n`);
    writeFileSync(
      join(output, `${family}.d.ts`),
      `import type { CompactSchema } from "../../schema/compact.ts";\nexport declare const schema: CompactSchema;\n`,
    );
  }
  const types = [...shapes].map(([kind, shape]) => toBodyType(kind.kind, shape));
  writeFileSync(join(output, "bodies.d.ts"), types.join("\n"));
  writeEditorSchemas(join(output, "editor"), shapes);
}

function writeEditorSchemas(folder: string, shapes: ReadonlyMap<SourceKind, Shape>): void {
  const write = (file: string, schema: unknown) => writeFileSync(join(folder, file), `${JSON.stringify(schema, null, 1)}\n`);
  const files = new Map([...shapes.keys()].map(({ kind }) => [kind, `${kind.toLowerCase()}.json`]));
  for (const [kind, shape] of shapes) write(files.get(kind.kind) ?? "", toJsonSchema(kind, shape));
  files.set(MESH_TEST, `${MESH_TEST.toLowerCase()}.json`);
  write(files.get(MESH_TEST) ?? "", toEditorSchema());
  write("all.json", toCombinedSchema(files));
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await generateSchemas(fileURLToPath(new URL("../src/gen/schema/", import.meta.url)));
