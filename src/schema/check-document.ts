import { stableHash } from "../base/stable-hash.ts";
import { schema as istioSchema } from "../gen/schema/istio.js";
import { schema as kubernetesSchema } from "../gen/schema/kubernetes.js";
import { diagnostic, type Diagnostic } from "../model/diagnostic.ts";
import type { JsonPath, SourcePosition } from "../model/position.ts";
import { type Metadata, refOf, type LocatedResource, type ResourceRef } from "../model/resource.ts";
import { checkAnnotations } from "./annotations.ts";
import type { CompactSchema } from "./compact.ts";
import { checkHostile } from "./hostile.ts";
import { checkHonoured } from "./honoured.ts";
import { rulesOf } from "./kind/index.ts";
import { apiVersionOf, findKind, type Kind } from "./kinds.ts";
import { meshConfigSchema } from "./mesh-config-schema.ts";
import { readMetadata } from "./metadata.ts";
import { checkOwnAnnotations } from "./own-annotations.ts";
import type { Finding } from "./report.ts";
import type { Body } from "./rules.ts";
import { checkShape, isRecord } from "./shape.ts";
import { explainUnknownKind } from "./unknown-kind.ts";

/** One document as its source read it: plain data, and where each node of it stands. */
export interface RawDocument {
  readonly value: unknown;
  readonly locate: (path: JsonPath) => SourcePosition;
}

export interface CheckedDocument {
  /** What it declares, also where it is wrong elsewhere. */
  readonly ref?: ResourceRef;
  /** Absent where the document is wrong, or of a kind that is not read. */
  readonly resource?: LocatedResource;
  /**
   * For a wrong document: what is to be used where there is no last good version of it, because going without would open what it was to
   * close. A wrong ALLOW policy allows nothing, a wrong DENY policy denies all, a wrong PeerAuthentication asks for mTLS.
   */
  readonly fallback?: LocatedResource;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Checks one document by itself: known kind, metadata, shape, and the rules of its kind. Never throws on what the document holds.
 * A wrong field (KMK1001) makes the document unusable; an unknown or not yet honoured one is a warning and the rest works.
 */
export function checkDocument(raw: RawDocument): CheckedDocument {
  const { value } = raw;
  const hostile: Finding[] = [];
  checkHostile(value, (finding) => void hostile.push(finding));
  if (hostile.length > 0) return { diagnostics: toDiagnostics(hostile.slice(0, 10), undefined, undefined, raw) };
  const { apiVersion, kind: name } = isRecord(value) ? value : {};
  const kind = typeof apiVersion === "string" && typeof name === "string" ? findKind(apiVersion, name) : undefined;
  if (kind === undefined || !isRecord(value)) return { diagnostics: [skipped(apiVersion, name, raw)] };
  return checkKnown(value, kind, raw);
}

/** A file that is plainly something else (a package.json) is mentioned without alarm; half a resource is a warning. */
function skipped(apiVersion: unknown, kind: unknown, { locate }: RawDocument): Diagnostic {
  if (typeof apiVersion === "string" && typeof kind === "string") {
    const { severity, ...explained } = explainUnknownKind(apiVersion, kind);
    return { ...diagnostic("KMK1004", { ...explained, position: locate(["kind"]) }), severity };
  }
  const isHalf = apiVersion !== undefined || kind !== undefined;
  const message = isHalf
    ? "apiVersion or kind is missing: the document is skipped"
    : "no apiVersion and kind: this is no resource, and is skipped";
  return { ...diagnostic("KMK1004", { message, position: locate([]) }), severity: isHalf ? "warning" : "info" };
}

function checkKnown(value: Body, kind: Kind, raw: RawDocument): CheckedDocument {
  const findings: Finding[] = [];
  const report = (finding: Finding) => void findings.push(finding);
  const { apiVersion: _, kind: __, metadata: rawMetadata, ...rest } = value;
  const metadata = readMetadata(rawMetadata, kind, report);
  const schema = schemaOf(kind);
  checkShape(rest, schema.kinds[kind.kind] ?? -1, { schema, report });
  const rules = rulesOf(kind.kind);
  if (rules.strictSpec === true) refuseUnknownSpecFields(findings);
  let body = clean(rest) as Body;
  const isShaped = !isWrong(findings);
  if (isShaped) {
    rules.check?.(body as never, report);
    const unknown = new Set(findings.map(({ path }) => path.join("\n")));
    checkHonoured(body, rules.honoured, (finding) => void (unknown.has(finding.path.join("\n")) || report(finding)));
    checkAnnotations(kind.kind, value, report);
    checkOwnAnnotations(kind.kind, value, report);
    body = rules.narrow?.(body as never, findings, report) ?? body;
  }
  if (metadata === undefined) return { diagnostics: toDiagnostics(findings, kind, undefined, raw) };
  const ref = refOf({ kind: kind.kind, metadata });
  const diagnostics = toDiagnostics(findings, kind, metadata, raw);
  if (!isWrong(findings)) return { ref, resource: toResource(kind, metadata, body, raw), diagnostics };
  const stricter = rules.fallback?.(body, isShaped);
  return { ref, ...(stricter !== undefined && { fallback: toResource(kind, metadata, stricter, raw) }), diagnostics };
}

function schemaOf(kind: Kind): CompactSchema {
  if (kind.kind === "MeshConfig") return meshConfigSchema;
  return kind.group.endsWith(".istio.io") ? istioSchema : kubernetesSchema;
}

function refuseUnknownSpecFields(findings: Finding[]): void {
  for (const [i, finding] of findings.entries()) {
    const isTop = finding.code === "KMK1002" && (finding.path.length === 1 || (finding.path.length === 2 && finding.path[0] === "spec"));
    if (isTop)
      findings[i] = {
        ...finding,
        code: "KMK1001",
        message: finding.message.replace(": it has no effect", ": the policy can't be used as it is"),
      };
  }
}

function isWrong(findings: readonly Finding[]): boolean {
  return findings.some(({ code }) => code === "KMK1001" || code === "KMK0003" || code === "KMK3002");
}

function toResource(kind: Kind, metadata: Metadata, body: Body, raw: RawDocument): LocatedResource {
  const apiVersion = apiVersionOf(kind);
  const hash = stableHash({ apiVersion, kind: kind.kind, metadata, body });
  return Object.freeze({ apiVersion, kind: kind.kind, metadata, body, hash, locate: raw.locate });
}

function toDiagnostics(
  findings: readonly Finding[],
  kind: Kind | undefined,
  metadata: Metadata | undefined,
  raw: RawDocument,
): readonly Diagnostic[] {
  const resource = kind && metadata && refOf({ kind: kind.kind, metadata });
  return findings.map(({ code, path, message, help, severity }) => ({
    ...diagnostic(code, { message, position: raw.locate(path), ...(help !== undefined && { help }), ...(resource && { resource }) }),
    ...(severity !== undefined && { severity }),
  }));
}

/** A frozen copy without `null`: Kubernetes reads that as absent. */
function clean(value: unknown): unknown {
  if (Array.isArray(value)) return Object.freeze(value.map(clean));
  if (!isRecord(value)) return value;
  const copy: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const key of Object.keys(value)) {
    const item = value[key];
    if (item !== null && item !== undefined) copy[key] = clean(item);
  }
  return Object.freeze(copy);
}
