import { didYouMean } from "../base/did-you-mean.ts";
import type { Report } from "./report.ts";
import { isRecord } from "./shape.ts";

/** The annotation of MeshConfig's ConfigMap that chooses a profile; a stock Istio ignores it. */
export const PROFILE_ANNOTATION = "kumiko.dev/profile";
/**
 * The one that chooses what the access log holds: `all`, `errors` (answers of 400 and above, gRPC calls that fail, connections that end badly)
 * or `off`.
 */
export const ACCESS_LOG_ANNOTATION = "kumiko.dev/access-log";

const PREFIX = "kumiko.dev/";
/** By kind: what each may say. */
const VALUES: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  MeshConfig: { [PROFILE_ANNOTATION]: ["zero-trust", "istio"], [ACCESS_LOG_ANNOTATION]: ["all", "errors", "off"] },
};

/** Kumiko's own annotations of that kind: a name that is a slip of a known one, or a value that is not known, has no effect (KMK1002). */
export function checkOwnAnnotations(kind: string, document: Readonly<Record<string, unknown>>, report: Report): void {
  const known = VALUES[kind];
  const { metadata } = document;
  const annotations = isRecord(metadata) ? metadata["annotations"] : undefined;
  if (known === undefined || !isRecord(annotations)) return;
  for (const [name, value] of Object.entries(annotations)) {
    if (!name.startsWith(PREFIX)) continue;
    const path = ["metadata", "annotations", name];
    const values = Object.hasOwn(known, name) ? known[name] : undefined;
    const meant = values === undefined ? didYouMean(wordOf(name), Object.keys(known).map(wordOf)) : undefined;
    if (meant !== undefined) {
      report({
        code: "KMK1002",
        path,
        message: `annotation ${name} is unknown: it has no effect`,
        help: `did you mean ${PREFIX}${meant}?`,
      });
    } else if (values !== undefined && !values.includes(String(value))) {
      const message = `annotation ${name} says ${JSON.stringify(String(value).slice(0, 60))}: it has no effect`;
      report({ code: "KMK1002", path, message, help: `write ${values.join(", ")}` });
    }
  }
}

function wordOf(name: string): string {
  return name.slice(PREFIX.length);
}
