import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { evaluate, type MeshView, type Request, type Target } from "../evaluate/index.ts";
import type { MeshSettingsOptions } from "../mesh/index.ts";
import type { Proxy } from "../model/proxy.ts";
import { createTranslator, toSnapshot } from "../translate/index.ts";
import { type EnvoyOracle, startEnvoyOracle } from "./envoy-oracle.ts";
import { freePort } from "./free-port.ts";
import { meshOf, router, sidecar } from "./mesh.ts";
import { verifyToken } from "./mesh-view.ts";
import { sendRaw } from "./raw-http.ts";
import { until } from "./until.ts";

/** What both say about a request, so that it can be compared. */
export interface Verdict {
  readonly status: number;
  readonly to: string;
  readonly path?: string;
  readonly method?: string;
  /** All headers that arrived, but for the values that nobody can foretell. */
  readonly headers?: readonly string[];
  readonly location?: string;
  /** Of an answer by a proxy. */
  readonly body?: string;
  readonly answered?: readonly string[];
}

export interface Case {
  readonly by: "sidecar" | "gateway";
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly headers?: readonly (readonly [string, string])[];
}

export interface Verdicts {
  readonly envoy: Verdict;
  readonly evaluator: Verdict;
}

export interface AgreementWorld {
  ask(given: Case): Promise<Verdicts>;
  /** Sends the request once; what Envoy answered can then be held against any evaluator. */
  record(given: Case): Promise<(decide: typeof evaluate) => Verdicts>;
  close(): Promise<void>;
}

/** The oracle's Envoy holds one certificate, of `ns/test/sa/test`. */
const OWN = "spiffe://cluster.local/ns/test/sa/test";
const VERSIONS = ["v1", "v2"] as const;

/** One real Envoy that is a client's sidecar, two servers' sidecars and a gateway at once, and the evaluator on what it was sent. */
export async function startAgreement(policies: string, settings: MeshSettingsOptions): Promise<AgreementWorld> {
  const oracle = await startEnvoyOracle({ bindsPorts: true });
  const apps = await Promise.all(VERSIONS.map(startApp));
  const [outbound, gatewayPort, ...inbound] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const ports = apps.map((app) => (app.address() as AddressInfo).port);
  const mesh = meshOf(meshYaml(ports, inbound, gatewayPort) + policies, settings);
  const common = { namespace: "test", capture: "none", dnsCapture: false, serviceAccount: "test", addresses: ["127.0.0.1"] } as const;
  const client = sidecar({ ...common, name: "web", labels: { app: "web" }, localPorts: { "users.test.svc.cluster.local:80": outbound } });
  const servers = VERSIONS.map((version) => sidecar({ ...common, name: `users-${version}`, labels: { app: "users", version } }));
  const gateway = router({ namespace: "test", name: "gateway", serviceAccount: "test", addresses: ["127.0.0.1"] });
  const translator = createTranslator();
  const proxies = [client, ...servers, gateway];
  const sent = new Map(
    proxies.map((proxy) => [proxy.name, { proxy, snapshot: translator.translate(mesh, proxy).snapshot, identity: OWN }]),
  );
  const all = [...sent.values()].flatMap(({ snapshot }) => [...snapshot.values()].flatMap((byName) => [...byName.values()]));
  const view = viewOf(sent, inbound);
  const refused = (await oracle.judge(toSnapshot(all))).filter(({ outcome }) => outcome === "refused");
  if (refused.length > 0) throw new Error(`refused: ${JSON.stringify(refused)}`);
  for (const port of [outbound, gatewayPort, ...inbound]) await untilOpen(port);
  await until("an answer of an application", async () => (await send(outbound, { by: "sidecar" }))?.status === 200 || undefined);
  const record: AgreementWorld["record"] = async (given) => {
    const port = given.by === "sidecar" ? outbound : gatewayPort;
    const nowMs = Date.now();
    const reply = await send(port, given);
    return (decide) => {
      const { verdict, unforetold } = fromEvaluator((request, seen) => decide({ ...request, nowMs }, seen), view, port, given);
      return { envoy: fromEnvoy(reply, unforetold), evaluator: verdict };
    };
  };
  return { record, ask: async (given) => (await record(given))(evaluate), close: () => closeAll(oracle, apps) };
}

async function closeAll(oracle: EnvoyOracle, apps: readonly Server[]): Promise<void> {
  await oracle.close();
  for (const app of apps) {
    app.closeAllConnections();
    await new Promise((resolve) => app.close(resolve));
  }
}

function untilOpen(port: number): Promise<true> {
  return until(`port ${port}`, async () => {
    const answer = await sendRaw(port, { method: "GET", path: "/", authority: "users", headers: [] }).catch(
      ({ code }: { code?: string }) => code,
    );
    return answer === "ECONNREFUSED" ? undefined : true;
  });
}

function viewOf(
  sent: ReadonlyMap<string, { proxy: Proxy; snapshot: ReturnType<typeof toSnapshot>; identity: string }>,
  inbound: readonly number[],
): MeshView {
  return {
    proxyOf: ({ name }) => sent.get(name),
    workloadAt: (_address, port) => {
      const at = inbound.indexOf(port);
      return at === -1 ? undefined : { namespace: "test", name: `users-${VERSIONS[at]}` };
    },
    externalAt: () => undefined,
    verifyToken,
    answerOf: ({ headers }) => ({ status: Number(headers.find(([name]) => name === "x-echo-status")?.[1] ?? 200) }),
  };
}

async function startApp(version: string): Promise<Server> {
  const server = createServer((incoming, answer) => {
    answer.statusCode = Number(incoming.headers["x-echo-status"] ?? 200);
    answer.setHeader("x-app", version);
    const lines = incoming.rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), incoming.rawHeaders[i + 1] ?? ""]] : []));
    answer.end(JSON.stringify({ path: incoming.url, method: incoming.method, headers: lines }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** Of the connection, not of the request. */
const OF_CONNECTION = new Set(["connection", "transfer-encoding", "content-length", "keep-alive"]);
const ANSWER_NOISE = new Set([...OF_CONNECTION, "date", "server", "x-envoy-upstream-service-time", "x-app", "content-type", "location"]);

function toLines(
  headers: readonly (readonly [string, string])[],
  noise: ReadonlySet<string>,
  unforetold: readonly string[] = [],
): readonly string[] {
  // Lines of one name have an order among them.
  return headers
    .filter(([name]) => !noise.has(name))
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value]) => (unforetold.includes(name) ? name : `${name}: ${value}`));
}

type Reply = Awaited<ReturnType<typeof sendRaw>>;

function send(port: number, { method = "GET", path = "/", host = "users", headers = [] }: Case): Promise<Reply> {
  return sendRaw(port, { method, path, authority: host, headers });
}

function fromEnvoy(reply: Reply, unforetold: readonly string[]): Verdict {
  if (reply === undefined) return { status: 0, to: "closed" };
  const valueOf = (name: string) => reply.headers.find(([key]) => key === name)?.[1];
  const common = { status: reply.status, to: valueOf("x-app") ?? "proxy", answered: toLines(reply.headers, ANSWER_NOISE) };
  const location = valueOf("location");
  if (common.to === "proxy") return { ...common, ...(location !== undefined && { location }), body: reply.body };
  if (reply.body === "") return common;
  const seen = JSON.parse(reply.body) as { path: string; method: string; headers: [string, string][] };
  return { ...common, path: seen.path, method: seen.method, headers: toLines(seen.headers, OF_CONNECTION, unforetold) };
}

function fromEvaluator(
  decide: typeof evaluate,
  view: MeshView,
  port: number,
  { by, method = "GET", path = "/", host = "users", headers = [] }: Case,
): { readonly verdict: Verdict; readonly unforetold: readonly string[] } {
  const from: Request["from"] =
    by === "sidecar"
      ? { kind: "workload", workload: { namespace: "test", name: "web" } }
      : { kind: "gateway", workload: { namespace: "test", name: "gateway" } };
  const { outcomes } = decide(
    {
      from,
      destination: { address: "127.0.0.1", port },
      protocol: "http1",
      method,
      authority: host,
      path,
      headers,
      sourceAddress: "127.0.0.1",
      nowMs: Date.now(),
    },
    view,
  );
  const [only] = outcomes;
  if (only === undefined || outcomes.length !== 1)
    return { verdict: { status: 0, to: `one of ${outcomes.length} outcomes` }, unforetold: [] };
  const { outcome } = only;
  if (outcome.kind !== "response") {
    const to = outcome.kind === "undecided" ? `undecided at ${outcome.at}` : outcome.kind;
    return { verdict: { status: 0, to }, unforetold: [] };
  }
  const location = outcome.headers.find(([name]) => name === "location")?.[1];
  const common = {
    status: outcome.status,
    to: outcome.by === "proxy" ? "proxy" : versionOf(outcome.to),
    answered: toLines(outcome.headers, ANSWER_NOISE),
  };
  const { received } = outcome;
  if (outcome.by === "proxy" || received === undefined)
    return { verdict: { ...common, ...(location !== undefined && { location }), body: outcome.body ?? "" }, unforetold: [] };
  const unforetold = received.generatedHeaders;
  if (method === "HEAD" || outcome.status === 204) return { verdict: common, unforetold };
  const arrived = [...received.headers, ["host", received.authority] as const, ...unforetold.map((name) => [name, ""] as const)];
  return {
    verdict: { ...common, path: received.path, method: received.method, headers: toLines(arrived, OF_CONNECTION, unforetold) },
    unforetold,
  };
}

function versionOf(target: Target | undefined): string {
  return target !== undefined && "name" in target ? target.name.replace("users-", "") : "nobody";
}

function meshYaml(ports: readonly number[], inbound: readonly number[], gatewayPort: number): string {
  const pods = VERSIONS.map(
    (version, i) => `
apiVersion: v1
kind: Pod
metadata:
  name: users-${version}
  namespace: test
  labels: { app: users, version: ${version} }
  annotations: { sidecar.istio.io/status: "{}", kumiko.dev/sidecar-ports: '{"${ports[i]}": ${inbound[i]}}' }
spec: { serviceAccountName: test, containers: [{ name: app, ports: [{ name: app, containerPort: ${ports[i]} }] }] }
status: { podIP: 127.0.0.1, conditions: [{ type: Ready, status: "True" }] }
---`,
  );
  return `${pods.join("")}
apiVersion: v1
kind: Service
metadata: { name: users, namespace: test }
spec: { selector: { app: users }, ports: [{ port: 80, name: http, targetPort: app }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: users, namespace: test }
spec: { host: users.test.svc.cluster.local, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: public, namespace: test }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: ${gatewayPort}, name: http, protocol: HTTP }, hosts: ["*"] }]
---
`;
}

/** Where two verdicts differ, in words: `path: evaluator /a, Envoy /b`. */
export function differences({ envoy, evaluator }: { readonly envoy: Verdict; readonly evaluator: Verdict }): readonly string[] {
  const fields = new Set([...Object.keys(envoy), ...Object.keys(evaluator)]) as Set<keyof Verdict>;
  return [...fields].flatMap((field) => {
    const [ours, theirs] = [evaluator[field], envoy[field]];
    if (Array.isArray(ours) && Array.isArray(theirs)) {
      const only = (list: readonly string[], other: readonly string[]) => list.filter((line) => !other.includes(line)).join(" | ");
      const [mine, other] = [only(ours, theirs), only(theirs, ours)];
      if (mine === "" && other === "" && ours.join("\n") !== theirs.join("\n"))
        return [`${field}: evaluator ${ours.join(" | ")}, Envoy ${theirs.join(" | ")}`];
      return mine === "" && other === "" ? [] : [`${field}: evaluator ${mine}, Envoy ${other}`];
    }
    return ours === theirs ? [] : [`${field}: evaluator ${String(ours)}, Envoy ${String(theirs)}`];
  });
}
