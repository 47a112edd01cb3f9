import { didYouMean } from "../base/did-you-mean.ts";
import type { JsonPath } from "../model/position.ts";
import { gatewayTopologyFields, proxyConfigFields } from "./mesh-config-schema.ts";
import { fieldsOf, parseProxyConfig, PROXY_CONFIG, readCount } from "./proxy-config.ts";
import { type Report, wrong } from "./report.ts";
import { isRecord } from "./shape.ts";

/** Annotations by which Istio is told something, from its reference of resource annotations: the part before the slash. */
const OF_ISTIO = /^[a-z.]+\.istio\.io\//;
const OF_PODS: ReadonlySet<string> = new Set([
  PROXY_CONFIG,
  "inject.istio.io/templates",
  "sidecar.istio.io/inject",
  "sidecar.istio.io/status",
]);
const OF_SERVICES: ReadonlySet<string> = new Set(["networking.istio.io/exportTo"]);
/** What a cluster's sidecar container is like, and what Istio's own tools wrote down. */
const FOR_CLUSTERS =
  /^(sidecar\.istio\.io\/(proxy(Image(Type)?|(CPU|Memory)(Limit)?)|userVolume(Mount)?|nativeSidecar)|((readiness\.)?status\.sidecar|prometheus|operator|install\.operator)\.istio\.io\/.*)$/;
const TEMPLATED: ReadonlySet<string> = new Set(["Deployment", "StatefulSet"]);
/** Nobody reads the twentieth. */
const MOST_FINDINGS = 20;

/**
 * One finding for each annotation of Istio's that has no effect where it stands (KMK1003), and what is wrong with the ProxyConfig of a Pod: of
 * all its fields only the one that is honoured can make the resource unusable (KMK1001). A Pod that a controller made repeats its template, and
 * is passed over.
 */
export function checkAnnotations(kind: string, document: Readonly<Record<string, unknown>>, report: Report): void {
  const { metadata, spec } = document;
  const isPod = kind === "Pod";
  if (isPod && isRecord(metadata) && Array.isArray(metadata["ownerReferences"]) && metadata["ownerReferences"].length > 0) return;
  check(metadata, ["metadata"], { kind, honoured: isPod ? OF_PODS : kind === "Service" ? OF_SERVICES : new Set(), report });
  if (!TEMPLATED.has(kind) || !isRecord(spec) || !isRecord(spec["template"])) return;
  check(spec["template"]["metadata"], ["spec", "template", "metadata"], { kind: "Pod", honoured: OF_PODS, report });
}

interface Place {
  readonly kind: string;
  readonly honoured: ReadonlySet<string>;
  readonly report: Report;
}

function check(metadata: unknown, parent: JsonPath, { kind, honoured, report }: Place): void {
  const annotations = isRecord(metadata) ? metadata["annotations"] : undefined;
  if (!isRecord(annotations)) return;
  for (const [name, text] of Object.entries(annotations)) {
    const path = [...parent, "annotations", name];
    if (!honoured.has(name)) reportIdle(name, kind, path, report);
    else if (name === PROXY_CONFIG && typeof text === "string") checkProxyConfig(text, path, report);
  }
}

function reportIdle(name: string, kind: string, path: JsonPath, report: Report): void {
  if (!OF_ISTIO.test(name)) return;
  const help = "remove it, or don't rely on it";
  if (FOR_CLUSTERS.test(name))
    report({ code: "KMK1003", path, message: `annotation ${name} has an effect on Kubernetes only`, severity: "info" });
  else if (!OF_PODS.has(name) && !OF_SERVICES.has(name))
    report({ code: "KMK1003", path, message: `annotation ${name} is not honoured yet`, help });
  else {
    const isOfTemplate = TEMPLATED.has(kind) && OF_PODS.has(name);
    const place = isOfTemplate ? "write it in spec.template.metadata.annotations" : help;
    report({ code: "KMK1003", path, message: `annotation ${name} has no effect on a ${kind}`, help: place });
  }
}

/** Its fields have no places of their own: all findings are the annotation's. */
function checkProxyConfig(text: string, path: JsonPath, report: Report): void {
  const read = parseProxyConfig(text);
  if ("problem" in read) return wrong(report, path, `annotation ${PROXY_CONFIG} ${read.problem}`, "write a ProxyConfig, or remove it");
  const topology = read.fields["gatewayTopology"];
  const hops = fieldsOf(topology)["numTrustedProxies"];
  if (hops !== undefined && hops !== null && readCount(hops) === undefined)
    wrong(report, path, `annotation ${PROXY_CONFIG}: gatewayTopology.numTrustedProxies must be a whole number`);
  const isIdle = ([field, value]: readonly [string, unknown]) => !HAS_EFFECT.has(field) && value !== null && !isHeld(field, value);
  const idle = [
    ...Object.entries(read.fields).filter(isIdle),
    ...Object.entries(fieldsOf(topology))
      .map(([field, value]) => [`gatewayTopology.${field}`, value] as const)
      .filter(isIdle),
  ];
  for (const [field] of idle.slice(0, MOST_FINDINGS)) reportField(field, path, report);
}

const HAS_EFFECT: ReadonlySet<string> = new Set(["gatewayTopology", "gatewayTopology.numTrustedProxies"]);
const FIELDS = [...proxyConfigFields, ...gatewayTopologyFields.map((field) => `gatewayTopology.${field}`)];

/** Applications start when their proxy is ready, always. */
function isHeld(field: string, value: unknown): boolean {
  return field === "holdApplicationUntilProxyStarts" && value === true;
}

function reportField(field: string, path: JsonPath, report: Report): void {
  const named = `annotation ${PROXY_CONFIG}: ${field.slice(0, 100)}`;
  if (FIELDS.includes(field))
    return report({ code: "KMK1003", path, message: `${named} is not honoured yet`, help: "remove it, or don't rely on it" });
  const meant = didYouMean(field, FIELDS);
  const help = meant === undefined ? "remove it, or check where it belongs" : `did you mean ${meant}?`;
  report({ code: "KMK1002", path, message: `${named} is unknown: it has no effect`, help });
}
