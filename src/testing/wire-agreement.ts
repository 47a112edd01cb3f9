import { GRPC_STATUS } from "../base/grpc-status.ts";
import { type ApplicationAnswer, type ApplicationRequest, type Decision, evaluate, type Request } from "../evaluate/index.ts";
import type { MeshSettingsOptions } from "../mesh/index.ts";
import { type MeshViewOptions, meshView, requestOf, type TestMeshView } from "./mesh-view.ts";
import { proxySecrets } from "./own-secrets.ts";
import { TestAuthority } from "../meshtest/real/certificates.ts";
import { until } from "./until.ts";
import { CASE_HEADER, nameOf, type Place, WireApplications } from "./wire-application.ts";
import { type Dialling, sendWire } from "./wire-client.ts";
import { startWireEnvoy, type WireEnvoy } from "./wire-envoy.ts";
import { placesOf, startSwitch, type SwitchPort } from "./wire-switch.ts";
import { compare, toVerdict, type WireVerdict } from "./wire-verdict.ts";

export interface WireAuthorities {
  /** The mesh's root. */
  readonly mesh: TestAuthority;
  /** Of servers' certificates that gateways and outside hosts show. */
  readonly servers: TestAuthority;
  /** Of clients that come to gateways. */
  readonly clients: TestAuthority;
  readonly stranger: TestAuthority;
}

export interface WireOptions {
  readonly settings?: MeshSettingsOptions;
  /** Hosts outside the mesh by address (127.x.y.z): who is there, and on which ports; `tls` ones end TLS. */
  readonly externals?: Readonly<
    Record<string, { readonly host: string; readonly ports: readonly number[]; readonly tls?: readonly number[] }>
  >;
  /** Ports of workloads on which the application itself ends TLS: `name:port` and the name in its certificate. */
  readonly tlsPorts?: Readonly<Record<string, string>>;
  /** Ports that workloads are called on although nothing is declared or listens there. */
  readonly extraPorts?: readonly number[];
  readonly answerOf?: (request: ApplicationRequest) => ApplicationAnswer;
  readonly alter?: NonNullable<MeshViewOptions["alter"]>;
}

/** A request of the evaluator's kind; a client's certificate is made by the authority that it names. */
export interface WireCase extends Omit<Partial<Request>, "tls"> {
  readonly by?: string;
  readonly tls?: {
    readonly sni?: string;
    readonly alpn: readonly string[];
    readonly certificate?: { readonly of: keyof WireAuthorities; readonly uri: string; readonly expired?: boolean };
  };
  /** Where it may go several ways: sends it until each was seen, at most as often. */
  readonly repeat?: number;
}

export interface Shares {
  readonly envoy: ReadonlySet<string>;
  readonly possible: ReadonlySet<string>;
  /** How many of those that are possible get some of equal requests. */
  readonly answerers: number;
}

const LATE_MS = 3_000;

export interface WireWorld {
  /** Where Envoys and evaluator differ, in words. */
  ask(given: WireCase): Promise<readonly string[]>;
  /** Sends it as often as it says; what happened can then be held against any evaluator, its shares included. */
  record(given: WireCase): Promise<(decide: typeof evaluate) => readonly string[]>;
  /** Who answers that many equal requests. */
  share(given: WireCase, times: number): Promise<Shares>;
  close(): Promise<void>;
}

/** Real Envoys, one for each proxy of a mesh whose addresses lie in 127.0.0.0/8, and the evaluator on the same resources. */
export async function startWire(yaml: string | ((authorities: WireAuthorities) => string), options: WireOptions = {}): Promise<WireWorld> {
  const newAuthority = (name: string) => new TestAuthority(name, Date.now());
  const authorities: WireAuthorities = {
    mesh: newAuthority("mesh"),
    servers: newAuthority("servers"),
    clients: newAuthority("clients"),
    stranger: newAuthority("stranger"),
  };
  const applications = new WireApplications(options.answerOf ?? answerOf);
  const view = viewOf(typeof yaml === "string" ? yaml : yaml(authorities), options);
  const envoys = new Map<string, WireEnvoy>();
  const closing: (() => Promise<void>)[] = [];
  const close = async () => {
    await Promise.all(closing.map((end) => end()));
  };
  try {
    for (const [key, { proxy, snapshot, identity }] of view.proxies) {
      const own = authorities.mesh.issue({ uri: identity });
      const envoy = await startWireEnvoy(snapshot, proxySecrets({ ...own, trustPem: authorities.mesh.rootPem }), proxy.addresses[0] ?? "");
      envoys.set(key, envoy);
      closing.push(() => envoy.close());
    }
    const started = await startSwitch(portsOf(view, envoys, authorities, options), applications);
    closing.push(() => started.close());
  } catch (error) {
    await close();
    throw error;
  }
  let cases = 0;
  const asking = () => ({ view, envoys, authorities, applications, id: `case-${++cases}` });
  return {
    ask: (given) => ask(asking(), given),
    record: (given) => record(asking(), given),
    share: (given, times) => shareOut(asking(), given, times),
    close,
  };
}

/** `x-echo-status: 503,200` one after another for the attempts of a request, `x-echo-grpc: 14` as gRPC says it; `x-echo-delay-ms`. */
export function answerOf({ headers: own, checks, protocol, attempt }: ApplicationRequest): ApplicationAnswer {
  const headers = checks ?? own;
  const value = (name: string) => headers.find(([key]) => key === name)?.[1];
  const nth = (name: string) => {
    const all = (value(name) ?? "").split(",");
    return all[Math.min(attempt, all.length) - 1] ?? "";
  };
  const isUpgrade = value("upgrade") === "websocket" && value("connection") !== undefined;
  const status = nth("x-echo-status") === "" ? (isUpgrade ? 101 : 200) : Number(nth("x-echo-status"));
  const delayMs = Number(value("x-echo-delay-ms") ?? 0);
  const grpc = protocol === "grpc" && status === 200 ? { grpcStatus: GRPC_STATUS[Number(nth("x-echo-grpc"))] ?? "OK" } : {};
  const cookie = value("x-echo-cookie");
  return { status, ...grpc, ...(delayMs > 0 && { delayMs }), ...(cookie !== undefined && { headers: [["set-cookie", cookie]] }) };
}

function viewOf(yaml: string, options: WireOptions): TestMeshView {
  const { externals = {}, tlsPorts = {} } = options;
  const view = meshView(yaml, {
    ...(options.settings !== undefined && { settings: options.settings }),
    ...(options.alter !== undefined && { alter: options.alter }),
    answerOf: options.answerOf ?? answerOf,
    tlsOf: (target, port) => {
      const external = "external" in target ? Object.values(externals).find(({ host }) => host === target.external) : undefined;
      const name =
        "external" in target ? (external?.tls?.includes(port) === true ? target.external : undefined) : tlsPorts[`${target.name}:${port}`];
      return name === undefined ? undefined : { alpn: ["h2", "http/1.1"], names: [name] };
    },
  });
  return {
    ...view,
    externalAt: (address, port) => (externals[address]?.ports.includes(port) === true ? externals[address].host : undefined),
    listensOn: (target, port) =>
      "external" in target ||
      view.workloads.some(
        ({ namespace, name, ports }) => namespace === target.namespace && name === target.name && ports.some((own) => own.port === port),
      ),
  };
}

function portsOf(
  view: TestMeshView,
  envoys: ReadonlyMap<string, WireEnvoy>,
  { servers }: WireAuthorities,
  { externals = {}, tlsPorts = {}, extraPorts = [] }: WireOptions,
): readonly SwitchPort[] {
  const ports: SwitchPort[] = [];
  for (const workload of view.workloads) {
    const { namespace, name, address } = workload;
    const envoy = envoys.get(`${namespace}/${name}`);
    const proxyPort = (port: number) => envoy?.ports.get(15_006) ?? envoy?.ports.get(port);
    for (const place of placesOf(workload)) {
      const tls = tlsPorts[`${name}:${place.port}`];
      const secured: Place = tls === undefined ? place : { ...place, tls: servers.issue({ hosts: [tls] }) };
      const behind = proxyPort(place.port);
      ports.push({ address, port: place.port, place: secured, ...(behind !== undefined && { proxyPort: behind }) });
    }
    for (const port of [...extraPorts, ...(envoy?.ports.keys() ?? [])]) {
      const behind = proxyPort(port);
      if (
        behind !== undefined &&
        port !== 15_001 &&
        port !== 15_006 &&
        !ports.some((known) => known.address === address && known.port === port)
      )
        ports.push({ address, port, proxyPort: behind });
    }
  }
  for (const [address, { host, ports: open, tls = [] }] of Object.entries(externals)) {
    for (const port of open) {
      const place = { target: { external: host }, port };
      ports.push({ address, port, place: tls.includes(port) ? { ...place, tls: servers.issue({ hosts: [host] }) } : place });
    }
  }
  return ports;
}

interface Asking {
  readonly view: TestMeshView;
  readonly envoys: ReadonlyMap<string, WireEnvoy>;
  readonly authorities: WireAuthorities;
  readonly applications: WireApplications;
  readonly id: string;
}

async function ask(asking: Asking, given: WireCase): Promise<readonly string[]> {
  const { repeat = 100 } = given;
  const { send, verdictsOf } = await prepare(asking, given);
  const verdicts = verdictsOf(evaluate);
  const missing = new Set(verdicts.keys());
  for (let nth = 0; nth < repeat && missing.size > 0; nth++) {
    const { seen, arrived } = await send(nth);
    const differences = verdicts.map(({ verdict }) => compare(verdict, seen, arrived));
    const at = differences.findIndex((list) => list.length === 0);
    if (at === -1) return nearest(differences);
    missing.delete(at);
  }
  return [...missing].map((at) => `never seen in ${repeat} requests: ${JSON.stringify(verdicts[at]?.verdict)}`);
}

/** How far a count may be from what is likely: 5 standard deviations, less often than once in a million. */
const DEVIATIONS = 5;

async function record(asking: Asking, given: WireCase): Promise<(decide: typeof evaluate) => readonly string[]> {
  const { repeat = 1 } = given;
  const { send, verdictsOf } = await prepare(asking, given);
  const happened: Happened[] = [];
  for (let nth = 0; nth < repeat; nth++) happened.push(await send(nth));
  return (decide) => {
    const verdicts = verdictsOf(decide);
    const counts = verdicts.map(() => 0);
    for (const { seen, arrived } of happened) {
      const differences = verdicts.map(({ verdict }) => compare(verdict, seen, arrived));
      const at = differences.findIndex((list) => list.length === 0);
      if (at === -1) return nearest(differences);
      counts[at] = (counts[at] ?? 0) + 1;
    }
    return verdicts.flatMap(({ verdict, share }, at) => {
      const [count = 0, likely] = [counts[at], share * repeat];
      const isLikely = Math.abs(count - likely) <= DEVIATIONS * Math.sqrt(likely * (1 - share)) + 1;
      return isLikely ? [] : [`${count} of ${repeat}, evaluator ${likely}: ${JSON.stringify(verdict)}`];
    });
  };
}

/** Ways through one hashing cluster are one: which of its endpoints gets all of them can't be known. */
async function shareOut(asking: Asking, given: WireCase, times: number): Promise<Shares> {
  const { send, request } = await prepare(asking, given);
  const ways = evaluate(request, asking.view).outcomes.map(({ outcome }) => {
    const hash = outcome.steps.find(({ what }) => what === "hash")?.detail;
    const to = outcome.kind === "response" && outcome.to !== undefined ? nameOf(outcome.to) : outcome.kind;
    return { to, way: hash ?? to };
  });
  const envoy = new Set<string>();
  for (let nth = 0; nth < times; nth++) envoy.add((await send(nth)).arrived.own[0]?.target ?? "nobody");
  return { envoy, possible: new Set(ways.map(({ to }) => to)), answerers: new Set(ways.map(({ way }) => way)).size };
}

/** What one request led to, at the client and at the applications. */
interface Happened {
  readonly seen: Awaited<ReturnType<typeof sendWire>>;
  readonly arrived: ReturnType<WireApplications["ofCase"]>;
}

interface Prepared {
  readonly request: Request;
  readonly send: (nth: number) => Promise<Happened>;
  readonly verdictsOf: (decide: typeof evaluate) => readonly { readonly verdict: WireVerdict; readonly share: number }[];
}

async function prepare(asking: Asking, { tls, ...rest }: Omit<WireCase, "repeat">): Promise<Prepared> {
  const { view, applications, id } = asking;
  const certificate = tls?.certificate;
  const plain = requestOf({ sourceAddress: "127.10.0.8", ...rest, headers: rest.headers ?? [] });
  const request: Request = {
    ...plain,
    nowMs: Date.now(),
    ...(tls !== undefined && {
      tls: {
        alpn: tls.alpn,
        ...(tls.sni !== undefined && { sni: tls.sni }),
        ...(certificate !== undefined && {
          clientCertificate: { uri: certificate.uri, trusted: certificate.of !== "stranger", expired: certificate.expired ?? false },
        }),
      },
    }),
  };
  const dialling = diallingOf(asking, request, tls);
  const tagged = (nth: number) => ({ ...request, headers: [...request.headers, [CASE_HEADER, `${id}-${nth}.`] as const] });
  const verdictsOf: Prepared["verdictsOf"] = (decide) => distinct(decide(tagged(0), view));
  const expected = verdictsOf(evaluate);
  return { request: tagged(0), verdictsOf, send };

  async function send(nth: number): Promise<Happened> {
    const tag = `${id}-${nth}.`;
    const seen = await sendWire(tagged(nth), dialling, `${tag}\n`);
    // An attempt that was given up, or a mirror's copy, may arrive after the answer.
    const isAll = ({ verdict: { attempts = 0, mirroredTo = [] } }: (typeof expected)[number]) => {
      const { own, copies } = applications.ofCase(tag);
      return own.length >= attempts && (mirroredTo.length === 0 || copies.length > 0);
    };
    await until("everything to arrive", () => expected.some(isAll), LATE_MS).catch(() => undefined);
    return { seen, arrived: applications.ofCase(tag) };
  }
}

function distinct({ outcomes }: Decision): ReturnType<Prepared["verdictsOf"]> {
  const found = new Map<string, { readonly verdict: WireVerdict; readonly share: number }>();
  for (const { outcome, share } of outcomes) {
    const verdict = toVerdict(outcome);
    const key = JSON.stringify(verdict);
    found.set(key, { verdict, share: share + (found.get(key)?.share ?? 0) });
  }
  return [...found.values()];
}

function nearest(differences: readonly (readonly string[])[]): readonly string[] {
  return differences.toSorted((a, b) => a.length - b.length)[0] ?? ["the evaluator knows no outcome"];
}

function diallingOf({ envoys, authorities, view }: Asking, request: Request, tls: WireCase["tls"]): Dialling {
  const { from, destination } = request;
  const { namespace, name } = from.workload;
  const own = view.workloads.find((workload) => workload.namespace === namespace && workload.name === name);
  const ports = envoys.get(`${namespace}/${name}`)?.ports;
  const port = from.kind === "workload" ? ports?.get(15_001) : (ports?.get(15_006) ?? ports?.get(destination.port));
  if (port === undefined || own === undefined) throw new Error(`${name} has no proxy that takes port ${destination.port}`);
  const wanted = tls?.certificate;
  const certificate =
    wanted === undefined ? undefined : authorities[wanted.of].issue({ uri: wanted.uri }, { expired: wanted.expired === true });
  const source = from.kind === "workload" ? own.address : request.sourceAddress;
  return { port, source, destination, ...(certificate !== undefined && { certificate }) };
}

/** A range of this process's own, `127.x.y`, so that test files and runs beside each other don't meet; `file` is one of 1 to 60. */
export function wireNet(file: number): string {
  return `127.${64 + file}.${1 + (process.pid % 250)}`;
}
