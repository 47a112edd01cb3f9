import { formatPath, type JsonPath } from "../../model/position.ts";
import { isDnsLabel, isIp, isLabelKey, isLabelValue, isPort } from "../names.ts";
import { type Report, wrong } from "../report.ts";
import type { Body } from "../rules.ts";
import { isRecord } from "../shape.ts";

/** What a list of revoked certificates that is not honoured leaves open. */
export const WITHDRAWN = "certificates that were withdrawn are taken";

/** `.`, `*`, `~` or namespaces; nothing may stand beside `*`. */
export function checkExportTo(exportTo: readonly string[] | undefined, path: JsonPath, report: Report): void {
  for (const [i, to] of (exportTo ?? []).entries()) {
    if (![".", "*", "~"].includes(to) && !isDnsLabel(to))
      wrong(report, [...path, i], `${formatPath([...path, i])} is no namespace`, 'use ".", "*" or a namespace');
  }
  if (exportTo?.includes("*") === true && exportTo.length > 1)
    wrong(report, path, `${formatPath(path)} has "*" and others`, 'keep "*" alone');
}

/** Labels that select workloads: Istio takes no wildcards and no empty key. */
export function checkLabels(labels: Readonly<Record<string, string>> | undefined, path: JsonPath, report: Report): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    if (!isLabelKey(key)) wrong(report, [...path, key], `${JSON.stringify(key.slice(0, 80))} can't be a label's key`);
    if (!isLabelValue(value)) wrong(report, [...path, key], `${formatPath([...path, key])} can't be a label's value`);
  }
}

/** Host name, address or `unix://` path of a ServiceEntry's endpoint or a WorkloadEntry. */
export function checkAddress(address: string | undefined, path: JsonPath, report: Report): void {
  if (address === undefined || address === "" || isIp(address) || /^unix:\/\/[/@]/.test(address)) return;
  if (!/^[A-Za-z0-9_]([-A-Za-z0-9_.]{0,251}[A-Za-z0-9])?$/.test(address))
    wrong(report, path, `${formatPath(path)} is neither an address nor a host name`);
}

export function checkPortMap(ports: Readonly<Record<string, number>> | undefined, path: JsonPath, report: Report): void {
  for (const [name, port] of Object.entries(ports ?? {})) if (!isPort(port)) wrong(report, [...path, name], `${port} is no port`);
}

/** Both of `targetRef` and `targetRefs` name resources of the Gateway API; a policy that has them applies to nothing else, but for what stands in. */
export function checkTargets(
  spec: { readonly targetRef?: unknown; readonly targetRefs?: readonly unknown[] },
  report: Report,
  effect = "the policy applies to nothing",
): void {
  const field = spec.targetRef === undefined ? "targetRefs" : "targetRef";
  if (spec.targetRef === undefined && (spec.targetRefs ?? []).length === 0) return;
  wrong(
    report,
    ["spec", field],
    `spec.${field} names a resource of the Gateway API, which is not read yet: ${effect}`,
    "use spec.selector",
  );
}

/** The selector of a document that is wrong elsewhere; absent where it is wrong itself, which selects the whole namespace. */
export function readableSelector(body: Body): Body {
  const { spec } = body;
  const selector = isRecord(spec) ? spec["selector"] : undefined;
  const labels = isRecord(selector) ? selector["matchLabels"] : undefined;
  return isRecord(labels) && Object.values(labels).every((value) => typeof value === "string") ? { selector: { matchLabels: labels } } : {};
}

export function hasTargets({ spec }: Body): boolean {
  return isRecord(spec) && (spec["targetRef"] ?? spec["targetRefs"]) !== undefined;
}
