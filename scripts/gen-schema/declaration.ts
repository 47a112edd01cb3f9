/** Reads an interface of a .d.ts file, file after file, by its syntax alone: resolving these types costs the compiler gigabytes. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import type { SourceKind } from "./kinds.ts";
import type { Field, Shape } from "./shape.ts";

const modules = fileURLToPath(new URL("../../node_modules/", import.meta.url));
const files = new Map<string, ts.SourceFile>();
const interfaces = new Map<ts.Node, Shape>();

/** The kind's document without `apiVersion`, `kind` and `metadata`. */
export function readDeclaration(kind: SourceKind): Shape {
  const shape = readNamed(join(modules, `${kind.module}.d.ts`), `I${kind.kind}`);
  if (shape.is !== "object") throw new Error(`${kind.kind} is no object`);
  const fields = new Map(shape.fields);
  for (const common of ["apiVersion", "kind", "metadata"]) fields.delete(common);
  return { ...shape, fields };
}

function readNamed(file: string, name: string): Shape {
  const source = open(file);
  for (const statement of source.statements) {
    if ((ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) && statement.name.text === name) {
      return readStatement(statement);
    }
    const exported =
      ts.isExportDeclaration(statement) && statement.exportClause && ts.isNamedExports(statement.exportClause)
        ? statement.exportClause
        : undefined;
    const renamed = exported?.elements.find((element) => element.name.text === name);
    if (renamed?.propertyName !== undefined && renamed.propertyName.text !== name) return readNamed(file, renamed.propertyName.text);
  }
  throw new Error(`${name} is not declared in ${file}`);
}

function readStatement(statement: ts.InterfaceDeclaration | ts.TypeAliasDeclaration): Shape {
  const known = interfaces.get(statement);
  if (known !== undefined) return known;
  const shape = ts.isInterfaceDeclaration(statement) ? readMembers(statement.members) : readType(statement.type);
  interfaces.set(statement, shape);
  return shape;
}

function readType(node: ts.TypeNode): Shape {
  switch (node.kind) {
    case ts.SyntaxKind.StringKeyword:
      return { is: "string" };
    case ts.SyntaxKind.NumberKeyword:
      return { is: "number" };
    case ts.SyntaxKind.BooleanKeyword:
      return { is: "boolean" };
    case ts.SyntaxKind.AnyKeyword:
    case ts.SyntaxKind.UnknownKeyword:
    case ts.SyntaxKind.ObjectKeyword:
      return { is: "any" };
    default:
  }
  if (ts.isTypeLiteralNode(node)) return readMembers(node.members);
  if (ts.isParenthesizedTypeNode(node)) return readType(node.type);
  if (ts.isArrayTypeNode(node)) return { is: "list", items: readType(node.elementType) };
  if (ts.isUnionTypeNode(node)) return readUnion(node);
  if (ts.isIntersectionTypeNode(node)) return readIntersection(node);
  if (ts.isTypeReferenceNode(node)) return readReference(node);
  if (ts.isLiteralTypeNode(node) && ts.isStringLiteral(node.literal)) return { is: "string", enum: [node.literal.text] };
  throw new Error(`unexpected type: ${node.getText()}`);
}

function readMembers(members: ts.NodeArray<ts.TypeElement>): Shape {
  const fields = new Map<string, Field>();
  for (const member of members) {
    if (ts.isIndexSignatureDeclaration(member)) return { is: "map", values: readType(member.type) };
    if (!ts.isPropertySignature(member) || member.type === undefined) throw new Error(`unexpected member: ${member.getText()}`);
    const name = ts.isStringLiteral(member.name) ? member.name.text : member.name.getText();
    fields.set(name, { shape: readType(member.type), required: member.questionToken === undefined, description: readComment(member) });
  }
  return fields.size === 0 ? { is: "any" } : { is: "object", fields, oneOf: [] };
}

function readComment(node: ts.Node): string {
  const [comment] = ts.getJSDocCommentsAndTags(node);
  return (comment === undefined ? undefined : ts.getTextOfJSDocComment(comment.comment)) ?? "";
}

function readUnion(node: ts.UnionTypeNode): Shape {
  const members = node.types
    .filter((type) => !(ts.isLiteralTypeNode(type) && type.literal.kind === ts.SyntaxKind.NullKeyword))
    .map(readType);
  const [only, second] = members;
  if (only === undefined) throw new Error(`empty union: ${node.getText()}`);
  if (second === undefined) return only;
  const texts = members.flatMap((member) => (member.is === "string" && member.enum !== undefined ? member.enum : []));
  if (texts.length === members.length) return { is: "string", enum: texts };
  if (members.length === 2 && members.some(({ is }) => is === "string") && members.some(({ is }) => is === "number"))
    return { is: "integer-or-string" };
  if (members.every(({ is }) => is === "object")) return withAlternatives(only, members.slice(1));
  throw new Error(`unexpected union: ${node.getText().slice(0, 200)}`);
}

/** The CRDs' `oneOf` reads `Base & (Exclude<Base, …> | {a: …} | {b: …})` or begins with the Exclude: what an alternative requires excludes the others. */
function readIntersection(node: ts.IntersectionTypeNode): Shape {
  const [base, ...others] = node.types.map(readType);
  if (base === undefined) throw new Error("empty intersection");
  return others.reduce((merged, other) => withAlternatives(merged, [other]), base);
}

function withAlternatives(base: Shape, alternatives: readonly Shape[]): Shape {
  if (base.is !== "object") throw new Error(`alternatives of a ${base.is}`);
  const groups = [...base.oneOf];
  const group: string[] = [];
  for (const alternative of alternatives) {
    if (alternative.is !== "object") throw new Error(`alternative is a ${alternative.is}`);
    groups.push(...alternative.oneOf.filter((names) => !groups.some((known) => known.join() === names.join())));
    for (const [name, field] of alternative.fields) {
      if (field.required && base.fields.get(name)?.required === false && !group.includes(name)) group.push(name);
    }
  }
  if (group.length > 0) groups.push(group);
  return { ...base, oneOf: groups };
}

function readReference(node: ts.TypeReferenceNode): Shape {
  const name = node.typeName.getText();
  const [first] = node.typeArguments ?? [];
  if (first !== undefined && name === "Array") return { is: "list", items: readType(first) };
  if (first !== undefined && name === "Exclude") return readType(first);
  if (name.endsWith("Quantity")) return { is: "quantity" };
  if (/(MicroTime|Time)$/.test(name) && !/Timeout|Runtime/.test(name)) return { is: "string" };
  const source = node.getSourceFile();
  for (const statement of source.statements) {
    if (
      !ts.isImportDeclaration(statement) ||
      statement.importClause?.namedBindings === undefined ||
      !ts.isNamedImports(statement.importClause.namedBindings)
    )
      continue;
    const imported = statement.importClause.namedBindings.elements.find((element) => element.name.text === name);
    if (imported !== undefined)
      return readNamed(
        resolve(source.fileName, (statement.moduleSpecifier as ts.StringLiteral).text),
        (imported.propertyName ?? imported.name).text,
      );
  }
  return readNamed(source.fileName, name);
}

function resolve(from: string, specifier: string): string {
  const path = specifier.startsWith(".") ? join(dirname(from), specifier) : join(modules, specifier);
  return `${path.replace(/\.js$/, "")}.d.ts`;
}

function open(file: string): ts.SourceFile {
  if (!existsSync(file)) throw new Error(`no such declaration: ${file}`);
  const known = files.get(file) ?? ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.ES2024, true);
  files.set(file, known);
  return known;
}
