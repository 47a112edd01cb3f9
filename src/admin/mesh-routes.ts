import { isIp } from "../base/index.ts";
import type { AdminBackend, JoinRequest, ProxyConfig } from "./backend.ts";
import { toClusterRow, toEndpointRows } from "./cluster-view.ts";
import { toInlineRouteRows, toListenerRows } from "./listener-view.ts";
import type { Answer } from "./resources.ts";
import { toRouteRows } from "./route-view.ts";
import { bootstrapOf, type ConfigDump, toSecretRows } from "./secret-view.ts";
import { decidersOf } from "./log-lines.ts";
import { readHostState } from "./host-state.ts";
import { Refusal } from "./status-object.ts";

type Name = { readonly namespace: string; readonly name: string };
type Document = Readonly<Record<string, unknown>>;

/** Views that are made of what was generated for a proxy, whether or not it is connected now. */
const GENERATED: Readonly<Record<string, (config: ProxyConfig) => readonly unknown[]>> = {
  routes: (config) => [
    ...ofType(config, "route").flatMap((resource) => toRouteRows(resource, config.locate)),
    ...ofType(config, "listener").flatMap((resource) => toInlineRouteRows(resource, config.locate)),
  ],
  clusters: (config) => ofType(config, "cluster").map((resource) => toClusterRow(resource, config.locate)),
  listeners: (config) => ofType(config, "listener").flatMap((resource) => toListenerRows(resource, config.locate)),
  endpoints: (config) =>
    [...ofType(config, "endpoint"), ...ofType(config, "cluster")].flatMap((resource) => toEndpointRows(resource, config.locate)),
};

/** Views of what the proxy itself says, through its agent. */
const ASKED: Readonly<Record<string, (dump: ConfigDump) => unknown>> = {
  secrets: toSecretRows,
  bootstrap: bootstrapOf,
  dump: (dump) => dump,
};

export const VIEWS: readonly string[] = [...Object.keys(GENERATED), ...Object.keys(ASKED)];

function ofType(config: ProxyConfig, type: "route" | "listener" | "cluster" | "endpoint") {
  const resources = [...(config.snapshot.get(type)?.values() ?? [])];
  return resources.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** `GET` below `/kumiko/`. */
export async function readMesh(backend: AdminBackend, path: readonly string[]): Promise<Answer> {
  const [version, what, namespace, name, view, ...rest] = path;
  if (version !== "v1" || rest.length > 0) throw unknown(path);
  if (what === "proxies" && view !== undefined)
    return { code: 200, body: await readView(backend, { namespace: namespace ?? "", name: name ?? "" }, view) };
  if (what === "proxies" && name !== undefined) return { code: 200, body: await readProxy(backend, { namespace: namespace ?? "", name }) };
  if (namespace !== undefined) throw unknown(path);
  switch (what) {
    case "status":
      return { code: 200, body: { ...backend.status(), proxies: await backend.proxies(), diagnostics: count(backend) } };
    case "diagnostics":
      return { code: 200, body: { items: backend.diagnostics() } };
    case "proxies":
      return { code: 200, body: { items: await backend.proxies() } };
    case "held-removals":
      return { code: 200, body: { items: backend.heldRemovals() } };
    case "version":
      return { code: 200, body: { version: backend.status().version } };
    default:
      throw unknown(path);
  }
}

function count(backend: AdminBackend): { readonly errors: number; readonly warnings: number } {
  const severities = backend.diagnostics().map((diagnostic) => diagnostic.severity);
  return { errors: severities.filter((one) => one === "error").length, warnings: severities.filter((one) => one === "warning").length };
}

async function readProxy(backend: AdminBackend, wanted: Name): Promise<unknown> {
  const proxy = (await backend.proxies()).find(({ namespace, name }) => namespace === wanted.namespace && name === wanted.name);
  if (proxy === undefined) throw noProxy(wanted);
  return proxy;
}

async function readView(backend: AdminBackend, proxy: Name, view: string): Promise<unknown> {
  const generated = Object.hasOwn(GENERATED, view) ? GENERATED[view] : undefined;
  const asked = Object.hasOwn(ASKED, view) ? ASKED[view] : undefined;
  if (generated === undefined && asked === undefined)
    throw new Refusal("NotFound", `no view "${view}" of a proxy; there is ${VIEWS.join(", ")}`);
  if (generated !== undefined) {
    const config = backend.configOf(proxy);
    if (config === undefined) throw noProxy(proxy);
    return { items: generated(config) };
  }
  const result = asked?.(await configDumpOf(backend, proxy));
  return view === "secrets" ? { items: result } : (result ?? {});
}

async function configDumpOf(backend: AdminBackend, proxy: Name): Promise<ConfigDump> {
  const answer = await backend.askEnvoy(proxy, "/config_dump");
  if (answer === undefined) throw noProxy(proxy);
  if (answer.status !== 200)
    throw new Refusal("ServiceUnavailable", `the proxy of ${proxy.namespace}/${proxy.name} answered ${answer.status} to /config_dump`);
  return JSON.parse(answer.body) as ConfigDump;
}

const TTL_LIMIT_S = 10 * 60;

/** `POST` below `/kumiko/`. */
export async function writeMesh(backend: AdminBackend, path: readonly string[], body: Document): Promise<Answer> {
  switch (path.join("/")) {
    case "v1/join-tokens":
      return issueJoinToken(backend, body);
    case "v1/accepted-removals":
      return acceptRemovals(backend, body);
    case "v1/host":
      backend.reportHost(readHostState(body));
      return { code: 200, body: {} };
    default:
      return readDeciders(backend, path, body);
  }
}

/** `proxies/NS/NAME/deciders` with `{lines}`: which resources made the proxy end them so. It changes nothing. */
function readDeciders(backend: AdminBackend, path: readonly string[], body: Document): Answer {
  const [version, what, namespace = "", name = "", view, ...rest] = path;
  if (version !== "v1" || what !== "proxies" || view !== "deciders" || rest.length > 0) throw unknown(path);
  const config = backend.configOf({ namespace, name });
  if (config === undefined) throw noProxy({ namespace, name });
  return { code: 200, body: decidersOf(body["lines"], { namespace, name, type: config.type }, config) };
}

/** `{namespace, name, serviceAccount?, labels?, address?, gateway?, ttlSeconds?}`: a token that admits one machine, once, as that workload. */
async function issueJoinToken(backend: AdminBackend, body: Document): Promise<Answer> {
  const answer = await backend.issueJoinToken(readJoinRequest(body));
  if (typeof answer === "string") throw new Refusal("Invalid", answer);
  return { code: 201, body: answer };
}

function readJoinRequest(body: Document): JoinRequest {
  const { labels = {}, gateway = false, ttlSeconds = TTL_LIMIT_S } = body;
  if (typeof ttlSeconds !== "number" || !(ttlSeconds >= 1 && ttlSeconds <= TTL_LIMIT_S)) {
    throw new Refusal("Invalid", `ttlSeconds is not a number from 1 to ${TTL_LIMIT_S}`);
  }
  if (typeof gateway !== "boolean") throw new Refusal("Invalid", "gateway is neither true nor false");
  const isMap = typeof labels === "object" && labels !== null && !Array.isArray(labels);
  if (!isMap || !Object.values(labels).every((value) => typeof value === "string")) {
    throw new Refusal("Invalid", "labels is not an object of texts");
  }
  const [serviceAccount, address] = [readOptional(body, "serviceAccount"), readOptional(body, "address")];
  if (address !== undefined && !isIp(address)) throw new Refusal("Invalid", "address is not an IP address");
  return {
    namespace: readRequired(body, "namespace"),
    name: readRequired(body, "name"),
    labels: labels as Readonly<Record<string, string>>,
    isGateway: gateway,
    ttlMs: ttlSeconds * 1000,
    ...(serviceAccount !== undefined && { serviceAccount }),
    ...(address !== undefined && { address }),
  };
}

function readRequired(body: Document, field: string): string {
  const value = readOptional(body, field);
  if (value === undefined) throw new Refusal("Invalid", `${field} is missing`);
  return value;
}

function readOptional(body: Document, field: string): string | undefined {
  const value = body[field];
  if (value === undefined || (typeof value === "string" && value !== "")) return value;
  throw new Refusal("Invalid", `${field} is not a text`);
}

/** `{files?}`: what is held back of them (of all files) may go. Answers with what that was. */
async function acceptRemovals(backend: AdminBackend, { files }: Document): Promise<Answer> {
  const isList = Array.isArray(files) && files.every((file) => typeof file === "string");
  if (files !== undefined && !isList) throw new Refusal("Invalid", "files is not a list of names");
  return { code: 200, body: { items: await backend.acceptRemovals(isList ? files : undefined) } };
}

function unknown(path: readonly string[]): Refusal {
  return new Refusal(
    "NotFound",
    `nothing at /kumiko/${path.join("/")}; there is v1/status, v1/diagnostics, v1/proxies, v1/held-removals, v1/accepted-removals, v1/join-tokens, v1/host and v1/version`,
  );
}

function noProxy({ namespace, name }: Name): Refusal {
  return new Refusal("NotFound", `no proxy of a workload "${name}" in namespace "${namespace}"`, { name, kind: "proxies" });
}
