import { formatIpv4, isIp } from "../base/cidr.ts";
import { stableHash } from "../base/stable-hash.ts";
import type { Mesh } from "../mesh/index.ts";
import type { Service } from "../model/service.ts";

/** 10.245.0.0/16, one address for each name outside the mesh. */
const FIRST_OUTSIDE = 0x0af50000;
const OUTSIDE = 65_000;
/** Ranges that belong to Pods and Services, and everybody's own: nobody outside is there. */
const INSIDE = /^(10\.244|10\.96|240\.240|127\.\d+)\.|^::1$/;

/** What names stand for in a test, as DNS of a cluster and of the world would say it, and who is outside. */
export class TestAddresses {
  readonly #mesh: Mesh;
  readonly #outside = new Map<string, string>();
  readonly #names = new Map<string, string>();
  #namespaces: ReadonlySet<string> | undefined;

  constructor(mesh: Mesh) {
    this.#mesh = mesh;
  }

  /** The address that a client in `namespace` connects to; undefined for a Service in the mesh that has none and no endpoint. */
  resolve(host: string, namespace: string): string | undefined {
    if (isIp(host)) return host;
    const name = host.toLowerCase().replace(/\.$/, "");
    const service = this.#findService(name, namespace);
    if (service !== undefined) return this.#addressOf(service, name);
    if (name === "localhost") return "127.0.0.1";
    return this.#isOfCluster(name, namespace) ? undefined : this.outside(name);
  }

  /** Whether only the cluster's own DNS could know a name: it ends as its names do, or stands below a Service. */
  #isOfCluster(name: string, namespace: string): boolean {
    const { clusterDomain } = this.#mesh.settings;
    const [, ...rest] = name.split(".");
    const last = rest.at(-1);
    if (last === undefined || last === "svc" || name.endsWith(`.${clusterDomain}`)) return true;
    const isBelowService = rest.some((_, i) => this.#findService(rest.slice(i).join("."), namespace)?.kind === "kubernetes");
    return isBelowService || (rest.length === 1 && this.#isNamespace(last));
  }

  #isNamespace(name: string): boolean {
    const { services, workloads } = this.#mesh;
    this.#namespaces ??= new Set([...services.all()].map(({ namespace }) => namespace));
    return this.#namespaces.has(name) || workloads.inNamespace(name).length > 0;
  }

  /** Where a client without a proxy ends up: at one of the Service's endpoints, as the cluster's own load balancing has it. */
  endpointsOf(host: string, port: number, namespace: string): readonly { readonly address: string; readonly port: number }[] {
    const service = isIp(host) ? undefined : this.#findService(host.toLowerCase().replace(/\.$/, ""), namespace);
    if (service?.kind !== "kubernetes" || service.headless) {
      const address = this.resolve(host, namespace);
      return address === undefined ? [] : [{ address, port }];
    }
    return this.#mesh.endpoints.of(service).endpoints.flatMap(({ ready, address, ports }) => {
      const target = ready ? ports.get(port)?.port : undefined;
      return target === undefined ? [] : [{ address, port: target }];
    });
  }

  /** The address of a name that is none of the mesh's. */
  outside(name: string): string {
    const known = this.#outside.get(name);
    if (known !== undefined) return known;
    let slot = Number.parseInt(stableHash(name).slice(0, 8), 16) % OUTSIDE;
    let address = formatIpv4(FIRST_OUTSIDE + 256 + slot);
    while (this.#names.has(address)) {
      slot = (slot + 1) % OUTSIDE;
      address = formatIpv4(FIRST_OUTSIDE + 256 + slot);
    }
    this.#outside.set(name, address);
    this.#names.set(address, name);
    return address;
  }

  /** The host outside the mesh at an address, which may be a name that a proxy resolves by itself. */
  externalAt(address: string): string | undefined {
    if (!isIp(address)) return address.endsWith(`.${this.#mesh.settings.clusterDomain}`) ? undefined : address;
    return this.#names.get(address) ?? (INSIDE.test(address) ? undefined : address);
  }

  /** The first name of the resolver's search list that is a Service's; a name with dots may be whole already. */
  #findService(name: string, namespace: string): Service | undefined {
    const { services, settings } = this.#mesh;
    const domain = settings.clusterDomain;
    for (const candidate of [`${name}.${namespace}.svc.${domain}`, `${name}.svc.${domain}`, `${name}.${domain}`, name]) {
      const seen = services.find(candidate, namespace);
      if (seen !== undefined) return seen;
      // A cluster's DNS knows each of its Services, whoever may see it in the mesh.
      if (candidate.endsWith(`.svc.${domain}`) && services.has(candidate)) {
        for (const service of services.all()) if (service.host === candidate && service.kind === "kubernetes") return service;
      }
    }
    return undefined;
  }

  #addressOf(service: Service, name: string): string | undefined {
    const [declared] = service.addresses.filter((address) => !address.includes("/"));
    const own = declared ?? service.allocatedAddress;
    if (own !== undefined) return own;
    if (service.kind === "service-entry") return this.outside(name);
    const endpoints = this.#mesh.endpoints.of(service).endpoints;
    return (endpoints.find(({ ready }) => ready) ?? endpoints[0])?.address;
  }
}
