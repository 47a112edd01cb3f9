import { parse } from "yaml";
import { isRecord } from "./shape.ts";

/** Istio's annotation of a Pod: a ProxyConfig as YAML, over the mesh's `defaultConfig`. */
export const PROXY_CONFIG = "proxy.istio.io/config";
/** Nobody writes so much; it bounds what the reading costs. */
const LONGEST = 8192;

/** What counts of a ProxyConfig (istio.mesh.v1alpha1). */
export interface ProxyConfigBody {
  readonly gatewayTopology?: { readonly numTrustedProxies?: number };
}

/** The ProxyConfig in the annotation's text, as it is written; undefined where it is no YAML object. */
export function parseProxyConfig(text: string): Readonly<Record<string, unknown>> | undefined {
  if (text.length > LONGEST) return undefined;
  try {
    const value: unknown = parse(text, { version: "1.2", schema: "core", maxAliasCount: 0, logLevel: "error" }) ?? {};
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** How many hops in front of a gateway are trusted by this Pod's own annotation; undefined where it doesn't say so, or not rightly. */
export function trustedProxiesOf(annotations: Readonly<Record<string, string>>): number | undefined {
  const text = annotations[PROXY_CONFIG];
  const { gatewayTopology } = (text === undefined ? undefined : parseProxyConfig(text)) ?? {};
  const hops = isRecord(gatewayTopology) ? gatewayTopology["numTrustedProxies"] : undefined;
  return typeof hops === "number" && Number.isInteger(hops) && hops >= 0 && hops < 2 ** 32 ? hops : undefined;
}
