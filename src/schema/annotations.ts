import type { JsonPath } from "../model/position.ts";
import { checkHonoured } from "./honoured.ts";
import { honouredProxyConfig, meshConfigSchema } from "./mesh-config-schema.ts";
import { parseProxyConfig, PROXY_CONFIG } from "./proxy-config.ts";
import { type Report, wrong } from "./report.ts";
import { checkShape, isRecord } from "./shape.ts";

/** Annotations by which Istio is told something, from its reference of resource annotations: the part before the slash. */
const OF_ISTIO = /^[a-z.]+\.istio\.io\//;
const HONOURED: ReadonlySet<string> = new Set([
  "inject.istio.io/templates",
  "networking.istio.io/exportTo",
  "sidecar.istio.io/inject",
  "sidecar.istio.io/status",
]);
/** What a cluster's sidecar container is like, and what Istio's own tools wrote down. */
const FOR_CLUSTERS =
  /^(sidecar\.istio\.io\/(proxy(Image(Type)?|(CPU|Memory)(Limit)?)|userVolume(Mount)?|nativeSidecar)|(prometheus|operator|install\.operator)\.istio\.io\/.*)$/;

/** One finding (KMK1003) for each annotation of Istio's that has no effect here, on a resource and on the Pods that it makes. */
export function checkAnnotations(document: Readonly<Record<string, unknown>>, report: Report): void {
  const { metadata, spec } = document;
  const template = isRecord(spec) && isRecord(spec["template"]) ? spec["template"]["metadata"] : undefined;
  check(metadata, ["metadata"], report);
  check(template, ["spec", "template", "metadata"], report);
}

function check(metadata: unknown, parent: JsonPath, report: Report): void {
  const annotations = isRecord(metadata) ? metadata["annotations"] : undefined;
  if (!isRecord(annotations)) return;
  for (const [name, text] of Object.entries(annotations)) {
    const path = [...parent, "annotations", name];
    if (name === PROXY_CONFIG && typeof text === "string") checkProxyConfig(text, path, report);
    else if (OF_ISTIO.test(name) && !HONOURED.has(name)) reportIdle(name, path, report);
  }
}

function reportIdle(name: string, path: JsonPath, report: Report): void {
  const isForClusters = FOR_CLUSTERS.test(name);
  report({
    code: "KMK1003",
    path,
    message: isForClusters ? `annotation ${name} has an effect on Kubernetes only` : `annotation ${name} is not honoured yet`,
    ...(isForClusters ? { severity: "info" } : { help: "remove it, or don't rely on it" }),
  });
}

/** Its fields have no places of their own: all findings are the annotation's. */
function checkProxyConfig(text: string, path: JsonPath, report: Report): void {
  const config = parseProxyConfig(text);
  if (config === undefined) return wrong(report, path, `annotation ${PROXY_CONFIG} is no YAML object`, "write a ProxyConfig, or remove it");
  const ofField: Report = (finding) => report({ ...finding, path, message: `annotation ${PROXY_CONFIG}: ${finding.message}` });
  checkShape(config, meshConfigSchema.kinds["ProxyConfig"] ?? -1, { schema: meshConfigSchema, report: ofField });
  const known = Object.fromEntries(Object.entries(config).filter(([field]) => Object.hasOwn(honouredProxyConfig, field)));
  checkHonoured(known, honouredProxyConfig, ofField);
}
