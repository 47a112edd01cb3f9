import { isIp, isIpv4Loopback } from "../base/index.ts";
import type { Identity, TrustDomain } from "../model/identity.ts";
import type { Proxy } from "../model/proxy.ts";

/** What the runtime tells the agent of one workload's proxy: translation's inputs, and how to start Envoy. */
export interface ProxySpec extends Omit<Proxy, "id" | "version"> {
  /** Put before Envoy's command line, so that it runs in the workload's network namespace: `nsenter --net=/proc/7/ns/net --`. See `EnvoyProcessSettings`. */
  readonly launch: readonly string[];
  /** `IP:PORT` of Envoy's resolver, where it isn't the one of its /etc/resolv.conf. */
  readonly resolver?: string;
}

/** What was wrong with the body of a request: a sentence for its sender. */
export class SpecError extends Error {}

const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const MAX_ENTRIES = 256;
const MAX_LOCAL_PORTS = 10_000;
const MAX_TEXT = 1024;

/** Reads the body of `PUT /proxies/NS/NAME`. Every field is checked and bounded. @throws SpecError */
export function readProxySpec(namespace: string, name: string, body: unknown): ProxySpec {
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw new SpecError("the body must be a JSON object");
  const fields = body as Record<string, unknown>;
  const serviceAccount = readText(fields, "serviceAccount", "default");
  if (!NAMESPACE.test(namespace)) throw new SpecError("namespace is no Kubernetes name");
  for (const [what, text] of Object.entries({ name, serviceAccount })) {
    if (!NAME.test(text)) throw new SpecError(`${what} is no Kubernetes name`);
  }
  const addresses = readTexts(fields, "addresses");
  if (addresses.length === 0 || !addresses.every(isIp)) throw new SpecError("addresses must hold at least one IP address");
  return {
    namespace,
    name,
    serviceAccount,
    addresses,
    type: readChoice(fields, "type", ["sidecar", "router"]),
    capture: readChoice(fields, "capture", ["redirect", "none"]),
    labels: readMap(fields, "labels", isText, MAX_ENTRIES),
    cluster: readText(fields, "cluster", "Kubernetes"),
    network: readText(fields, "network", ""),
    locality: readText(fields, "locality", ""),
    localPorts: readMap(fields, "localPorts", isPort, MAX_LOCAL_PORTS),
    localAddresses: readMap(fields, "localAddresses", isLocalAddress, MAX_LOCAL_PORTS),
    outsidePorts: readMap(fields, "outsidePorts", isPort, MAX_LOCAL_PORTS),
    dnsCapture: fields["dnsCapture"] === true,
    launch: readTexts(fields, "launch"),
    ...readResolver(fields["resolver"]),
  };
}

/** The spec as a new Envoy would need it: without what the control plane alone is told, which may change while Envoy runs. */
export function fixedPart(spec: ProxySpec): ProxySpec {
  return { ...spec, localPorts: {}, localAddresses: {}, outsidePorts: {} };
}

export function identityOfProxy(spec: Pick<ProxySpec, "namespace" | "serviceAccount">, trustDomain: TrustDomain): Identity {
  return { trustDomain, namespace: spec.namespace, serviceAccount: spec.serviceAccount };
}

function readResolver(value: unknown): Pick<ProxySpec, "resolver"> {
  if (value === undefined) return {};
  const [, host = "", port] = (typeof value === "string" && /^([0-9.]+):(\d{1,5})$/.exec(value)) || [];
  if (!isIp(host) || !isPort(Number(port))) throw new SpecError("resolver must be IP:PORT");
  return { resolver: `${host}:${port}` };
}

function readText(fields: Record<string, unknown>, name: string, fallback: string): string {
  const value = fields[name] ?? fallback;
  if (!isText(value)) throw new SpecError(`${name} must be a text of at most ${MAX_TEXT} characters`);
  return value;
}

function readTexts(fields: Record<string, unknown>, name: string): readonly string[] {
  const value = fields[name] ?? [];
  if (!Array.isArray(value) || value.length > MAX_ENTRIES || !value.every(isText)) throw new SpecError(`${name} must be a list of texts`);
  return value;
}

function readChoice<T extends string>(fields: Record<string, unknown>, name: string, choices: readonly [T, ...T[]]): T {
  const value = fields[name] ?? choices[0];
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw new SpecError(`${name} must be one of ${choices.join(", ")}`);
  return found;
}

function readMap<T>(
  fields: Record<string, unknown>,
  name: string,
  isValue: (value: unknown) => value is T,
  max: number,
): Readonly<Record<string, T>> {
  const value = fields[name] ?? {};
  const isMap = typeof value === "object" && !Array.isArray(value);
  const entries = isMap ? Object.entries(value as object) : [];
  if (!isMap || entries.length > max) throw new SpecError(`${name} must be an object with at most ${max} entries`);
  const map: Record<string, T> = Object.create(null) as Record<string, T>;
  for (const [key, entry] of entries) {
    if (!isText(key) || !isValue(entry)) throw new SpecError(`${name} has a value of the wrong kind`);
    map[key] = entry;
  }
  return map;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_TEXT && !value.includes("\0");
}

function isLocalAddress(value: unknown): value is string {
  return typeof value === "string" && isIpv4Loopback(value);
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) < 65_536;
}
