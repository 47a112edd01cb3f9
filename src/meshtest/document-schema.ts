/**
 * The shape of a MeshTest, written once: our own check and the JSON Schema for editors are made of it. It imports nothing generated, so that
 * `npm run gen` can read it before `src/gen` is there.
 */
import { GRPC_STATUS } from "../base/grpc-status.ts";
import type { CompactNode, CompactSchema } from "../schema/compact.ts";
import { ECHO_LIMITS } from "./echo-program/protocol.ts";

/** `about` is what an editor shows; `forms` what an editor accepts where our own check is code (`is: "any"`). */
type Literal = (
  | CompactNode
  | { readonly list: Literal; readonly minItems?: number }
  | { readonly map: Literal }
  | { readonly fields: Readonly<Record<string, Literal>>; readonly required?: readonly string[] }
) & { readonly about?: string; readonly forms?: readonly object[] };

const text = { is: "string", minLength: 1 } as const;
const flag = { is: "boolean" } as const;
const count = { is: "integer", minimum: 1, maximum: 100_000 } as const;
const port = { is: "integer", minimum: 1, maximum: 65_535 } as const;
const oneOf = (...values: readonly string[]): CompactNode => ({ is: "string", enum: values });
const about = <Node extends Literal>(node: Node, words: string): Node => ({ ...node, about: words });

const TEXT_FORM = { type: "string" };
const LINES_FORM = { type: "array", items: TEXT_FORM, minItems: 1 };
export const RANGE = /^(\d{1,9})\.\.(\d{1,9})$/;
const RANGE_FORM = { type: "string", pattern: RANGE.source };

const MATCHER: Literal = { fields: { prefix: { is: "string" }, regex: { is: "string", format: "regex" }, present: flag } };
const matchedHeaders: Literal = {
  map: { is: "any", forms: [TEXT_FORM, LINES_FORM, { type: "null" }, toEditor(MATCHER)] },
};

const TOKEN: Literal = {
  required: ["issuer"],
  fields: {
    issuer: about(text, "Signed by the test key of this issuer, which every RequestAuthentication that names it trusts"),
    subject: text,
    audiences: { list: text },
    claims: about({ map: { is: "any" } }, "Further claims; one of a registered name replaces ours"),
    expiresIn: about({ is: "string" }, "From now; a negative one lies in the past (1h)"),
    notBefore: about({ is: "string" }, "From now; a negative one lies in the past (now)"),
    signedBy: about(oneOf("wrong-key", "none"), "A key that nobody trusts, or alg none"),
    header: about(text, "Where it is sent (authorization)"),
    prefix: about({ is: "string" }, 'What stands before it ("Bearer "); empty: the bare token'),
    query: about(text, "Sent in this parameter of the query instead"),
  },
};

const REQUEST: Literal = {
  required: ["url"],
  fields: {
    url: about(text, "http, https, grpc, grpcs, ws, wss, tcp or tls; host as the client writes it, port and path"),
    method: text,
    headers: about({ map: { is: "any", forms: [TEXT_FORM, LINES_FORM] } }, "A list: that many header lines; host overrides the authority"),
    body: { is: "string" },
    bodyBytes: about({ is: "integer", minimum: 0, maximum: ECHO_LIMITS.bodyBytes }, "Instead of body: that many bytes"),
    rawPath: about(text, "Sent as it is, without any normalisation by the client"),
    sni: about(text, "For https, tls (the URL's host)"),
    token: about({ is: "any", forms: [toEditor(TOKEN), { type: "array", items: toEditor(TOKEN) }] }, "A JWT, or several"),
    http2: about(flag, "Speak HTTP/2 to the first proxy"),
    concurrency: about(count, "With repeat: how many at a time"),
    repeat: about(count, "Send it so many times; counts are in expect.to"),
  },
};

const EXPECT: Literal = {
  fields: {
    status: { is: "integer", minimum: 100, maximum: 599 },
    grpcStatus: oneOf(...GRPC_STATUS),
    to: about(
      { is: "any", forms: [TEXT_FORM, { type: "object", additionalProperties: { anyOf: [RANGE_FORM, { type: "integer" }] } }] },
      "The workload that answered, external:HOST, or with repeat a range for each",
    ),
    sameWorkload: about(flag, "With repeat: all were answered by one workload"),
    received: about(
      {
        fields: {
          path: text,
          method: text,
          authority: text,
          protocol: oneOf("http1", "http2", "grpc"),
          headers: matchedHeaders,
          principal: { is: "string" },
          tls: flag,
        },
      },
      "What the application got",
    ),
    headers: about(matchedHeaders, "Of the response to the caller"),
    body: about({ is: "string" }, "A text that the response's body contains"),
    attempts: about({ is: "integer", minimum: 0, maximum: 1000 }, "Requests that arrived at the last hop"),
    delayMs: about({ is: "string", pattern: RANGE.source }, "The time the call took, in milliseconds: 900..1500"),
    mirroredTo: about({ is: "any", forms: [TEXT_FORM, { type: "null" }] }, "A workload that got a copy; null: none did"),
    connection: oneOf("closed", "refused", "open"),
    via: about({ is: "any", forms: [TEXT_FORM, { type: "null" }] }, "A workload whose proxy the request passed; null: none in between"),
    because: about(
      { is: "string", pattern: "^[A-Z][A-Za-z0-9]*(/[^/]+){1,2}$" },
      "The resource that decided: Kind/namespace/name, or Profile/zero-trust or Profile/istio",
    ),
  },
};

const WORKLOAD: Literal = {
  required: ["name"],
  fields: {
    name: text,
    namespace: text,
    labels: { map: { is: "string" } },
    serviceAccount: text,
    ports: { list: port },
    cluster: text,
    network: text,
  },
};

const RESOURCES: Literal = { required: ["path"], fields: { path: text, namespace: text, values: text } };

const SPEC: Literal = {
  required: ["calls"],
  fields: {
    resources: about(
      { list: { is: "any", forms: [TEXT_FORM, toEditor(RESOURCES)] } },
      "Files and folders, relative to this file, {path, namespace} for documents that name no namespace, {path, values} for a Helm chart; other documents of this file belong to the test too",
    ),
    profile: about(oneOf("istio", "zero-trust"), "Defaults where a resource says nothing (istio)"),
    workloads: about({ list: WORKLOAD }, "What runs, beside Deployments, StatefulSets, Pods and WorkloadEntries"),
    calls: {
      minItems: 1,
      list: {
        required: ["from", "request", "expect"],
        fields: {
          name: text,
          from: about(
            { fields: { workload: text, gateway: text, outside: text, clientIp: text, clientCert: text } },
            "workload: an application through its sidecar; gateway: a client outside; outside: straight to a workload",
          ),
          request: REQUEST,
          expect: EXPECT,
        },
      },
    },
    expectDiagnostics: about(
      {
        list: {
          fields: { code: { is: "string", pattern: "^(IST|KMK)\\d{4}$" }, resource: text },
        },
      },
      "Rejections that belong to the test; at least these",
    ),
  },
};

export const API_VERSION = "kumiko.dev/v1alpha1";
export const KIND = "MeshTest";

/** `MeshTest` is the document beside apiVersion, kind and metadata; the others are checked where a field takes several forms. */
export const meshTestSchema: CompactSchema = compile({
  MeshTest: { required: ["spec"], fields: { spec: SPEC } },
  Token: TOKEN,
  Matcher: MATCHER,
  Resources: RESOURCES,
});

/** JSON Schema (draft 2020-12) for editors. */
export function toEditorSchema(): object {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: KIND,
    type: "object",
    required: ["apiVersion", "kind", "metadata", "spec"],
    additionalProperties: false,
    properties: { apiVersion: { enum: [API_VERSION] }, kind: { const: KIND }, metadata: { type: "object" }, spec: toEditor(SPEC) },
  };
}

function compile(roots: Readonly<Record<string, Literal>>): CompactSchema {
  const nodes: CompactNode[] = [];
  const visit = (part: Literal): number => {
    if ("list" in part) {
      const items = visit(part.list);
      return nodes.push({ is: "list", items, ...(part.minItems !== undefined && { minItems: part.minItems }) }) - 1;
    }
    if ("map" in part) return nodes.push({ is: "map", values: visit(part.map) }) - 1;
    if ("is" in part) return nodes.push(part) - 1;
    const fields = Object.fromEntries(Object.entries(part.fields).map(([name, field]) => [name, visit(field)]));
    return nodes.push({ is: "object", fields, ...(part.required !== undefined && { required: part.required }) }) - 1;
  };
  return { kinds: Object.fromEntries(Object.entries(roots).map(([name, root]) => [name, visit(root)])), nodes };
}

function toEditor(part: Literal): object {
  const described = part.about === undefined ? {} : { description: part.about };
  if ("list" in part)
    return { ...described, type: "array", items: toEditor(part.list), ...(part.minItems !== undefined && { minItems: part.minItems }) };
  if ("map" in part) return { ...described, type: "object", additionalProperties: toEditor(part.map) };
  if ("fields" in part) {
    const properties = Object.fromEntries(Object.entries(part.fields).map(([name, field]) => [name, toEditor(field)]));
    return { ...described, type: "object", properties, additionalProperties: false, ...(part.required && { required: part.required }) };
  }
  if (part.is === "any") return { ...described, ...(part.forms && { anyOf: part.forms }) };
  const { is, about: _, forms: __, ...limits } = part as Exclude<CompactNode, { is: "object" }> & { about?: string; forms?: unknown };
  // JSON Schema's own `regex` is another dialect than RE2.
  const { format: ___, ...plain } = limits as { readonly format?: string };
  return { ...described, type: is, ...plain };
}
