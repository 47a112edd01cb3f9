import { cidrContains, isIp, parseCidr } from "../base/cidr.ts";
import { hostMatches } from "../base/host-match.ts";
import type { ApplicationAnswer, ApplicationRequest, MeshView, Target, WorkloadRef } from "../evaluate/index.ts";
import { createMesh, type Finding, type Mesh, type ResourceEdit, toDiagnostics } from "../mesh/index.ts";
import { type Diagnostic, formatDiagnostic } from "../model/diagnostic.ts";
import { formatIdentity } from "../model/identity.ts";
import type { Origin } from "../model/origin.ts";
import { type SourcePosition } from "../model/position.ts";
import type { Proxy } from "../model/proxy.ts";
import { formatRef, type LocatedResource, refOf } from "../model/resource.ts";
import { isTls, parseProtocol, type Service, type ServicePort } from "../model/service.ts";
import { createTranslator, type Snapshot, type Translator } from "../translate/index.ts";
import { TestAddresses } from "./addresses.ts";
import { answerOf } from "./echo.ts";
import { type TestIssuers, verifyToken } from "./issuers.ts";
import type { LoadedTest } from "./load.ts";
import { gatewaySecrets, namedCertificate, type TestCertificate, trustTestIssuers } from "./prepare.ts";
import type { Call } from "./document.ts";
import { speaksTls } from "./outside-port.ts";
import { serverFirst } from "./server-first.ts";
import { podsOf, type TestWorkload, workloadsOf } from "./workloads.ts";

export interface SentToProxy {
  readonly proxy: Proxy;
  readonly snapshot: Snapshot;
  readonly identity: string;
}

export interface ServedPort {
  readonly service: Service;
  readonly port: ServicePort;
}

export type CertificateFor = (hosts: readonly string[]) => TestCertificate;

/** Envoy's version that a test's proxies say they have. */
const ENVOY_VERSION = "1.40.0";

/** What a test's mesh is given from elsewhere. */
export interface SharedByMeshes {
  /** The mesh of the same test with other resources: the same runs in it, and what its translator knows is used. */
  readonly like?: TestMesh;
  /** Texts that only name what they stand for where absent. */
  readonly certificateFor?: CertificateFor;
}

/** The mesh of one test as a control plane would see it, with all that runs in it. What a proxy is sent is made when first asked for. */
export class TestMesh implements MeshView {
  readonly mesh: Mesh;
  readonly workloads: readonly TestWorkload[];
  readonly addresses: TestAddresses;
  readonly #translator: Translator;
  readonly #pods: readonly LocatedResource[];
  readonly #byName: ReadonlyMap<string, TestWorkload>;
  readonly #byAddress: ReadonlyMap<string, TestWorkload>;
  readonly #calls: readonly Call[];
  readonly #located: ReadonlyMap<string, LocatedResource>;
  readonly #sent = new Map<string, SentToProxy>();
  readonly #findings: Finding[] = [];
  #served: ReadonlyMap<string, readonly ServedPort[]> | undefined;

  constructor({ test, resources }: LoadedTest, issuers: TestIssuers, shared: SharedByMeshes = {}) {
    const { like } = shared;
    this.#calls = test.calls;
    this.#translator = like === undefined ? createTranslator() : like.#translator;
    this.workloads = like === undefined ? workloadsOf(test, resources) : like.workloads;
    this.#pods = like === undefined ? podsOf(this.workloads) : like.#pods;
    const trusted = resources.filter(({ kind }) => kind !== "Pod").map((resource) => this.#placed(trustTestIssuers(resource, issuers)));
    const secrets = gatewaySecrets(resources, this.workloads, shared.certificateFor ?? namedCertificate);
    // The first of two with one name counts.
    const all = [...secrets, ...trusted, ...this.#pods];
    this.#located = new Map(all.toReversed().map((resource) => [formatRef(refOf(resource)), resource]));
    this.mesh = like === undefined ? createMesh(all, { profile: test.profile }) : like.mesh.with(this.#editsOf(like));
    this.#byName = new Map(this.workloads.map((workload) => [`${workload.namespace}/${workload.name}`, workload]));
    this.#byAddress = new Map(this.workloads.map((workload) => [workload.address, workload]));
    this.addresses = new TestAddresses(this.mesh);
  }

  /** What makes another test's mesh this one. */
  #editsOf(like: TestMesh): readonly ResourceEdit[] {
    const gone = [...like.#located].flatMap(([key, resource]) =>
      this.#located.has(key) ? [] : [{ ref: refOf(resource), resource: undefined }],
    );
    return [...gone, ...[...this.#located.values()].map((resource) => ({ ref: refOf(resource), resource }))];
  }

  workload({ namespace, name }: WorkloadRef): TestWorkload | undefined {
    return this.#byName.get(`${namespace}/${name}`);
  }

  proxyOf(ref: WorkloadRef): SentToProxy | undefined {
    const key = `${ref.namespace}/${ref.name}`;
    const known = this.#sent.get(key);
    if (known !== undefined) return known;
    const workload = this.#byName.get(key);
    if (workload === undefined || workload.role === "none") return undefined;
    const proxy = toProxy(workload, this.mesh);
    const { snapshot, findings } = this.#translator.translate(this.mesh, proxy);
    this.#findings.push(...findings);
    const { namespace, serviceAccount } = workload;
    const sent = { proxy, snapshot, identity: formatIdentity({ trustDomain: this.mesh.settings.trustDomain, namespace, serviceAccount }) };
    this.#sent.set(key, sent);
    return sent;
  }

  /** What was sent so far, by workload. */
  sent(): Iterable<SentToProxy> {
    return this.#sent.values();
  }

  workloadAt(address: string): WorkloadRef | undefined {
    return this.#byAddress.get(address);
  }

  externalAt(address: string): string | undefined {
    return this.addresses.externalAt(address);
  }

  verifyToken(jwks: string, token: string): "ok" | "bad-signature" {
    return verifyToken(jwks, token);
  }

  answerOf(request: ApplicationRequest): ApplicationAnswer {
    return answerOf(request);
  }

  listensOn(target: Target, port: number): boolean {
    return "external" in target || (this.workload(target)?.ports.some((own) => own.port === port) ?? false);
  }

  speaksFirst(target: Target, port: number): boolean {
    const workload = "external" in target ? undefined : this.workload(target);
    return workload !== undefined && serverFirst(workload, port, this) !== undefined;
  }

  /** What an outside host speaks follows from its port's declaration; a workload ends TLS on ports that are named or marked so. */
  tlsOf(target: Target, port: number): ReturnType<NonNullable<MeshView["tlsOf"]>> {
    if ("external" in target)
      return this.#isTlsOutside(target.external, port) ? { alpn: ["h2", "http/1.1"], names: [target.external] } : undefined;
    const workload = this.workload(target);
    const names = workload === undefined ? [] : this.#tlsNames(workload, port);
    return names.length === 0 ? undefined : { alpn: ["h2", "http/1.1"], names };
  }

  #isTlsOutside(host: string, port: number): boolean {
    const address = isIp(host) ? host : this.addresses.outside(host);
    const entries = [...this.mesh.services.all()].filter((service) => service.kind === "service-entry" && isPlaceOf(service, host));
    const declared = [host, address].flatMap((place) => this.#servedAt(place, port)).map((served) => served.port);
    return speaksTls({ host, port, declared: [...declared, ...entries.flatMap(({ ports }) => ports)], calls: this.#calls });
  }

  #tlsNames(workload: TestWorkload, port: number): readonly string[] {
    const own = workload.ports.find((known) => known.port === port && isTlsName(known.name));
    const served = this.servedBy(workload, port).filter(({ port: { protocol } }) => isTls(protocol));
    return [...(own === undefined ? [] : [workload.name]), ...new Set(served.map(({ service }) => service.host))];
  }

  /** The Services' ports behind which a workload's port stands. */
  servedBy({ address }: TestWorkload, port: number): readonly ServedPort[] {
    return this.#servedAt(address, port);
  }

  #servedAt(address: string, port: number): readonly ServedPort[] {
    this.#served ??= this.#serve();
    return this.#served.get(`${address} ${port}`) ?? [];
  }

  #serve(): ReadonlyMap<string, readonly ServedPort[]> {
    const served = new Map<string, ServedPort[]>();
    for (const service of this.mesh.services.all()) {
      for (const { address, ports } of this.mesh.endpoints.of(service).endpoints) {
        for (const port of service.ports) {
          const key = `${address} ${ports.get(port.number)?.port}`;
          const known = served.get(key) ?? [];
          if (!known.some((other) => other.port === port)) served.set(key, [...known, { service, port }]);
        }
      }
    }
    return served;
  }

  /** What the mesh says of itself and of every proxy that was asked for, each thing once. */
  diagnostics(): readonly Diagnostic[] {
    const all = toDiagnostics([...this.mesh.findings, ...this.#findings], (origin) => this.locate(origin));
    return [...new Map(all.map((diagnostic) => [formatDiagnostic(diagnostic), diagnostic])).values()];
  }

  /** Asks for what every proxy is sent, so that `diagnostics` is whole. */
  translateAll(): void {
    for (const workload of this.workloads) this.proxyOf(workload);
  }

  locate({ ref, path }: Origin): SourcePosition | undefined {
    return this.#located.get(formatRef(ref))?.locate(path);
  }

  /** A WorkloadEntry without an address that a proxy could connect to has the one of the test. */
  #placed(resource: LocatedResource): LocatedResource {
    if (resource.kind !== "WorkloadEntry") return resource;
    const { namespace, name } = resource.metadata;
    const workload = this.workloads.find((known) => known.kind === "WorkloadEntry" && known.namespace === namespace && known.name === name);
    const body = resource.body as { readonly spec: { readonly address?: string } };
    if (workload === undefined || body.spec.address === workload.address) return resource;
    return { ...resource, body: { ...body, spec: { ...body.spec, address: workload.address } } };
  }
}

function isTlsName(name: string): boolean {
  const protocol = parseProtocol(name.split("-", 1)[0] ?? "");
  return protocol !== undefined && isTls(protocol);
}

function toProxy(workload: TestWorkload, mesh: Mesh): Proxy {
  const { namespace, name, labels, serviceAccount, address, role, kind } = workload;
  const indexed = mesh.workloads.find(kind, namespace, name);
  const type = role === "gateway" ? "router" : "sidecar";
  return {
    id: `${type}~${address}~${name}.${namespace}~${namespace}.svc.cluster.local`,
    type,
    name,
    namespace,
    addresses: [address],
    labels,
    serviceAccount,
    cluster: indexed?.cluster ?? "Kubernetes",
    network: indexed?.network ?? "",
    locality: indexed?.locality ?? "",
    version: ENVOY_VERSION,
    capture: "redirect",
    localPorts: {},
    localAddresses: {},
    outsidePorts: {},
    dnsCapture: type === "sidecar",
  };
}

/** Whether a ServiceEntry declares a name, or the range in which an address is. */
function isPlaceOf({ host, addresses }: Service, place: string): boolean {
  const address = parseCidr(place);
  if (address === undefined) return hostMatches(host, place);
  return addresses.map(parseCidr).some((range) => range !== undefined && cidrContains(range, address));
}
