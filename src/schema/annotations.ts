import { didYouMean } from "../base/did-you-mean.ts";
import type { JsonPath } from "../model/position.ts";
import { DRY_RUN, readDryRun } from "./dry-run.ts";
import { gatewayTopologyFields, proxyConfigFields } from "./mesh-config-schema.ts";
import { fieldsOf, findTerminationProblems, HONOURED_METADATA, parseProxyConfig, PROXY_CONFIG, readCount } from "./proxy-config.ts";
import { type Report, wrong } from "./report.ts";
import { isRecord } from "./shape.ts";

/** Names by which Istio is told something, from its references of annotations and labels: the part before the slash. */
const OF_ISTIO = /^([a-z0-9-]+\.)*istio\.io\//;
type Field = "annotations" | "labels";
type Honoured = Readonly<Record<Field, readonly string[]>>;

const TEMPLATES = "inject.istio.io/templates";
const OF_PODS: Honoured = {
  annotations: [PROXY_CONFIG, TEMPLATES, "sidecar.istio.io/inject", "sidecar.istio.io/status"],
  labels: ["sidecar.istio.io/inject", "security.istio.io/tlsMode", "topology.istio.io/network", "topology.istio.io/cluster"],
};
const OF_KINDS: Readonly<Record<string, Honoured>> = {
  Pod: OF_PODS,
  Service: { annotations: ["networking.istio.io/exportTo"], labels: [] },
  AuthorizationPolicy: { annotations: [DRY_RUN], labels: [] },
};
const NOTHING: Honoured = { annotations: [], labels: [] };
/** What a cluster's sidecar container is like, which of several control planes is meant, and what Istio's own tools wrote down. */
const FOR_CLUSTERS = [
  /^sidecar\.istio\.io\/(proxy(Image(Type)?|(CPU|Memory)(Limit)?)|userVolume(Mount)?|nativeSidecar)$/,
  /^((readiness\.)?status\.sidecar|prometheus|operator|install\.operator|gateway|service)\.istio\.io\//,
  /^istio\.io\/(rev|tag|gateway-name|autoRegistrationGroup|workloadController|(dis)?connectedAt)$/,
];
const TEMPLATED: ReadonlySet<string> = new Set(["Deployment", "StatefulSet"]);
/** Nobody reads the twentieth. */
const MOST_FINDINGS = 20;

/**
 * One finding for each annotation and label of Istio's that has no effect where it stands (KMK1003), and what is wrong with those that have one:
 * of all fields of a Pod's ProxyConfig only those that are honoured can make the resource unusable (KMK1001). A Pod that a controller made
 * repeats its template, and is passed over.
 */
export function checkAnnotations(kind: string, document: Readonly<Record<string, unknown>>, report: Report): void {
  const { metadata, spec } = document;
  const isOfTemplate = kind === "Pod" && isRecord(metadata) && Array.isArray(metadata["ownerReferences"]);
  if (isOfTemplate && (metadata["ownerReferences"] as readonly unknown[]).length > 0) return;
  check(metadata, ["metadata"], { kind, report });
  if (!TEMPLATED.has(kind) || !isRecord(spec) || !isRecord(spec["template"])) return;
  check(spec["template"]["metadata"], ["spec", "template", "metadata"], { kind: "Pod", report });
}

interface Place {
  readonly kind: string;
  readonly report: Report;
}

function check(metadata: unknown, parent: JsonPath, place: Place): void {
  for (const field of ["annotations", "labels"] as const) {
    const texts = isRecord(metadata) ? metadata[field] : undefined;
    if (!isRecord(texts)) continue;
    for (const [name, text] of Object.entries(texts)) {
      const path = [...parent, field, name];
      if (isHeldAnyway(name, text)) continue;
      if (!(OF_KINDS[place.kind] ?? NOTHING)[field].includes(name)) reportIdle(name, field, path, place);
      else if (name === PROXY_CONFIG && typeof text === "string") checkProxyConfig(text, path, place.report);
      else if (name === TEMPLATES && typeof text === "string") checkTemplates(text, path, place.report);
      else if (name === DRY_RUN && readDryRun(texts) === undefined) reportTrial(path, place.report);
    }
  }
}

/** As in Istio the policy is in force then: it may be what keeps others out. */
function reportTrial(path: JsonPath, report: Report): void {
  const message = `annotation ${DRY_RUN} is neither "true" nor "false": the policy is in force`;
  report({ code: "KMK1003", path, message, help: "correct it, or remove it" });
}

function reportIdle(name: string, field: Field, path: JsonPath, { kind, report }: Place): void {
  if (!OF_ISTIO.test(name)) return;
  const named = `${field === "labels" ? "label" : "annotation"} ${name}`;
  const help = "remove it, or don't rely on it";
  if (FOR_CLUSTERS.some((pattern) => pattern.test(name)))
    return report({ code: "KMK1003", path, message: `${named} has an effect on Kubernetes only`, severity: "info" });
  if (!Object.values(OF_KINDS).some((honoured) => honoured[field].includes(name)))
    return report({ code: "KMK1003", path, message: `${named} is not honoured yet`, help });
  const place = TEMPLATED.has(kind) && OF_PODS[field].includes(name) ? `write it in spec.template.metadata.${field}` : help;
  report({ code: "KMK1003", path, message: `${named} has no effect on a ${kind}`, help: place });
}

/** Probes are the runtime's, and reach the application past its proxy, as Istio's rewriting makes them. */
function isHeldAnyway(name: string, text: unknown): boolean {
  return name === "sidecar.istio.io/rewriteAppHTTPProbers" && text === "true";
}

const KNOWN_TEMPLATES: ReadonlySet<string> = new Set(["sidecar", "gateway"]);

/** Istio merges the named templates into the Pod; of its own two the effect is known, of all others only the name. */
function checkTemplates(text: string, path: JsonPath, report: Report): void {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.filter((name) => name !== "" && !KNOWN_TEMPLATES.has(name));
  if (unknown.length === 0) return;
  const list = unknown.map((name) => name.slice(0, 100)).join(", ");
  const message = `annotation ${TEMPLATES}: ${list} is not honoured yet: the Pod gets an ordinary ${names.includes("gateway") ? "gateway's proxy" : "sidecar"}`;
  report({ code: "KMK1003", path, message, help: "remove it, or don't rely on it" });
}

/** Its fields have no places of their own: all findings are the annotation's. */
function checkProxyConfig(text: string, path: JsonPath, report: Report): void {
  const read = parseProxyConfig(text);
  if ("problem" in read) return wrong(report, path, `annotation ${PROXY_CONFIG} ${read.problem}`, "write a ProxyConfig, or remove it");
  const topology = read.fields["gatewayTopology"];
  const hops = fieldsOf(topology)["numTrustedProxies"];
  if (hops !== undefined && hops !== null && readCount(hops) === undefined)
    wrong(report, path, `annotation ${PROXY_CONFIG}: gatewayTopology.numTrustedProxies must be a whole number`);
  for (const { path: field, problem } of findTerminationProblems(read.fields))
    wrong(report, path, `annotation ${PROXY_CONFIG}: ${field.join(".")} ${problem}`);
  const isIdle = ([field, value]: readonly [string, unknown]) => !HAS_EFFECT.has(field) && value !== null && !isHeld(field, value);
  const { proxyMetadata } = read.fields;
  const metadata = isRecord(proxyMetadata) ? Object.entries(proxyMetadata) : [];
  const idle = [
    ...Object.entries(read.fields),
    ...Object.entries(fieldsOf(topology)).map(([field, value]) => [`gatewayTopology.${field}`, value] as const),
    ...metadata.map(([name, value]) => [`proxyMetadata.${name}`, value] as const),
  ].filter(isIdle);
  for (const [field] of idle.slice(0, MOST_FINDINGS)) reportField(field, path, report);
}

const HAS_EFFECT: ReadonlySet<string> = new Set([
  "gatewayTopology",
  "gatewayTopology.numTrustedProxies",
  "terminationDrainDuration",
  "proxyMetadata",
  ...HONOURED_METADATA.map((name) => `proxyMetadata.${name}`),
]);
const FIELDS = [...proxyConfigFields, ...gatewayTopologyFields.map((field) => `gatewayTopology.${field}`)];

/** Applications start when their proxy is ready, always. */
function isHeld(field: string, value: unknown): boolean {
  return field === "holdApplicationUntilProxyStarts" && value === true;
}

function reportField(field: string, path: JsonPath, report: Report): void {
  const named = `annotation ${PROXY_CONFIG}: ${field.slice(0, 100)}`;
  if (FIELDS.includes(field) || field.startsWith("proxyMetadata."))
    return report({ code: "KMK1003", path, message: `${named} is not honoured yet`, help: "remove it, or don't rely on it" });
  const meant = didYouMean(field, FIELDS);
  const help = meant === undefined ? "remove it, or check where it belongs" : `did you mean ${meant}?`;
  report({ code: "KMK1002", path, message: `${named} is unknown: it has no effect`, help });
}
