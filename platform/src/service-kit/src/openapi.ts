import { readFileSync } from "node:fs";
import type { FastifyInstance, FastifySchema, HTTPMethods } from "fastify";
import { parse } from "yaml";

type Node = Readonly<Record<string, unknown>>;

/** One operation of the API: where it is, and what goes in and out. Spread it into a Fastify route. */
export interface Operation {
  readonly method: HTTPMethods;
  readonly url: string;
  readonly schema: FastifySchema;
}

export interface ApiDocument {
  /** As it is written, YAML. */
  readonly text: string;
  /** @throws where the document has no such operation: a mistake in the code or the document. */
  operation(id: string): Operation;
  /** Every operation of a tag: what a service has to have. */
  operationsOf(tag: string): readonly Operation[];
}

const METHODS = ["get", "post", "put", "patch", "delete"] as const;

/** The document that all services and their clients share. */
export const apiDocumentPath = new URL("../../../docs/api/openapi.yaml", import.meta.url);

/** Reads `docs/api/openapi.yaml`; its schemas check requests and shape responses. */
export function readApiDocument(file: URL | string = apiDocumentPath): ApiDocument {
  const text = readFileSync(file, "utf8");
  const written = asNode(parse(text));
  const document = asNode(resolve(written, written));
  const operations = new Map<string, Operation & { readonly tags: readonly unknown[] }>();
  for (const [path, item] of Object.entries(asNode(document["paths"]))) {
    for (const method of METHODS) {
      const operation = asNode(item)[method];
      if (operation === undefined) continue;
      const found = toOperation(method, path, asNode(operation), listOf(asNode(item)["parameters"]));
      const { operationId, tags } = asNode(operation);
      operations.set(String(operationId), { ...found, tags: listOf(tags) });
    }
  }
  return {
    text,
    operation(id) {
      const found = operations.get(id);
      if (found === undefined) throw new Error(`openapi.yaml has no operation "${id}"`);
      const { method, url, schema } = found;
      return { method, url, schema };
    },
    operationsOf: (tag) => [...operations.values()].filter(({ tags }) => tags.includes(tag)),
  };
}

/** Serves the document at `/openapi.yaml`. */
export function addApiDocument(server: FastifyInstance, api: ApiDocument): void {
  server.get("/openapi.yaml", async (_, reply) => reply.type("application/yaml; charset=utf-8").send(api.text));
}

function toOperation(method: (typeof METHODS)[number], path: string, operation: Node, shared: readonly unknown[]): Operation {
  const parameters = [...shared, ...listOf(operation["parameters"])].map(asNode);
  const body = operation["requestBody"] === undefined ? undefined : jsonSchemaOf(asNode(operation["requestBody"]));
  const schema: FastifySchema = {
    ...(hasAny(parameters, "path") && { params: toObjectSchema(parameters, "path") }),
    ...(hasAny(parameters, "query") && { querystring: toObjectSchema(parameters, "query") }),
    ...(hasAny(parameters, "header") && { headers: toHeaderSchema(parameters) }),
    ...(body !== undefined && { body }),
    response: toResponses(asNode(operation["responses"])),
  };
  return { method: method.toUpperCase(), url: path.replaceAll(/\{(\w+)\}/g, ":$1"), schema };
}

function hasAny(parameters: readonly Node[], where: string): boolean {
  return parameters.some((one) => one["in"] === where);
}

function toObjectSchema(parameters: readonly Node[], where: string): Node {
  const chosen = parameters.filter((one) => one["in"] === where);
  return {
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(chosen.map((one) => [String(one["name"]), one["schema"]])),
    required: chosen.filter((one) => one["required"] === true).map((one) => String(one["name"])),
  };
}

/** Headers come in lower case, and beside those that the document speaks of there are others. */
function toHeaderSchema(parameters: readonly Node[]): Node {
  const lower = parameters.map((one) => ({ ...one, name: String(one["name"]).toLowerCase() }));
  return { ...toObjectSchema(lower, "header"), additionalProperties: true };
}

/** Only successes: a problem is written by the error handler. */
function toResponses(responses: Node): Node {
  const entries = Object.entries(responses).filter(([status]) => status.startsWith("2"));
  return Object.fromEntries(
    entries.map(([status, response]) => [status, jsonSchemaOf(asNode(response))]).filter(([, schema]) => schema !== undefined),
  );
}

/** Undefined where no JSON goes: an upload, a file. */
function jsonSchemaOf(holder: Node): unknown {
  const media = asNode(holder["content"] ?? {})["application/json"];
  return media === undefined ? undefined : asNode(media)["schema"];
}

/** Replaces every local `$ref` by what it names. The document has no cycles. */
function resolve(document: Node, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => resolve(document, one));
  if (typeof value !== "object" || value === null) return value;
  const node = asNode(value);
  const ref = node["$ref"];
  if (typeof ref === "string") return resolve(document, lookup(document, ref));
  return Object.fromEntries(Object.entries(node).map(([key, child]) => [key, resolve(document, child)]));
}

function lookup(document: Node, ref: string): unknown {
  let found: unknown = document;
  for (const part of ref.replace(/^#\//, "").split("/")) found = asNode(found)[part];
  if (found === undefined) throw new Error(`openapi.yaml: ${ref} names nothing`);
  return found;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function asNode(value: unknown): Node {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("openapi.yaml: an object was expected");
  return value as Node;
}
