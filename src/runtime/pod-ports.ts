import type { Proxy } from "../model/proxy.ts";
import type { ImageCommand } from "./kumiko-yaml.ts";
import { findImage } from "./container-command.ts";
import { toDesiredWorkload } from "./deployment.ts";
import { type CallableHost, callableFrom, PortAllocator } from "./local-ports.ts";
import { LoopbackAddresses, type LoopbackPorts } from "./loopback.ts";
import type { DesiredPod, PodStatus } from "./pod.ts";
import { portVariables } from "./port-variables.ts";
import type { DeclaredResource } from "./resources.ts";

/** How a pod's traffic gets to its proxy, and where its services are found: differs between the two modes. */
export interface PodPorts {
  /** Part of the pod's status. */
  of(pod: DesiredPod): Pick<PodStatus, "sidecarPorts" | "appPorts">;
  /** Port on which this replica's application listens for a declared one. */
  appPort(pod: DesiredPod, declared: number): number;
  proxy(pod: DesiredPod): Pick<Proxy, "capture" | "localPorts" | "localAddresses" | "outsidePorts" | "dnsCapture">;
  /** Where the application finds a service. */
  service(pod: DesiredPod, host: string, port: number): { readonly host: string; readonly port: number };
  release(pod: DesiredPod): void;
}

/** In namespaces every pod has all ports for itself; a gateway's proxy has no application whose DNS it could answer. */
export const namespacePorts: PodPorts = {
  of: () => ({}),
  appPort: (_pod, declared) => declared,
  proxy: (pod) => ({
    capture: "redirect",
    localPorts: {},
    localAddresses: {},
    outsidePorts: {},
    dnsCapture: pod.capture === "sidecar",
  }),
  service: (_pod, host, port) => ({ host, port }),
  release: () => {},
};

export interface LocalPortsOptions {
  /** What tells this mesh from another one on the same machine. */
  readonly mesh: string;
  readonly images: () => Readonly<Record<string, ImageCommand>>;
  /** All that may be called. */
  readonly callable: () => readonly CallableHost[];
  /** `host:port` outside of the mesh to the port on which the relay takes connections for it, where that is another one. */
  readonly outsidePorts: () => Readonly<Record<string, number>>;
  /** Where sidecars can listen. */
  readonly loopback: LoopbackPorts;
}

export interface LocalPorts extends PodPorts {
  /** Hosts whose names may lead to the pod's own sidecar: it listens on one of their declared ports at least, and nobody else on any. */
  hosts(pod: DesiredPod): readonly { readonly host: string; readonly address: string }[];
}

/** Ports of the loopback network, where all pods share it. */
export function createLocalPorts(options: LocalPortsOptions): LocalPorts {
  const allocator = new PortAllocator();
  const addresses = new LoopbackAddresses(options.mesh);
  const names = new Map<string, Set<string>>();
  const keyOf = (pod: DesiredPod) => `${pod.namespace}/${pod.name}`;
  const allocate = (pod: DesiredPod, what: string) => {
    const name = `${options.mesh} ${keyOf(pod)} ${what}`;
    const own = names.get(keyOf(pod)) ?? new Set();
    names.set(keyOf(pod), own.add(name));
    return allocator.get(name);
  };
  const addressOf = (pod: DesiredPod, host: string) => addresses.get(`${keyOf(pod)} ${host}`);
  const callable = (pod: DesiredPod) =>
    [...(pod.capture === "sidecar" ? callableFrom(options.callable(), pod.namespace) : [])].map(([host, ports]) => ({
      host,
      address: addressOf(pod, host),
      ports: options.loopback.open(ports),
    }));
  // The declared port itself is left to those who can't move: gateways, and ports for which no `portEnv` stands.
  const appPort = (pod: DesiredPod, declared: number) =>
    canMove(pod, declared, options.images()) ? allocate(pod, `app ${declared}`) : declared;
  return {
    appPort,
    of(pod) {
      if (pod.capture !== "sidecar") return {};
      const declared = declaredPorts(pod);
      const moved = declared.filter((port) => appPort(pod, port) !== port);
      return {
        sidecarPorts: Object.fromEntries(declared.map((port) => [port, allocate(pod, `sidecar ${port}`)])),
        appPorts: Object.fromEntries(moved.map((port) => [port, appPort(pod, port)])),
      };
    },
    proxy(pod) {
      const hosts = callable(pod);
      return {
        capture: "none",
        localPorts: Object.fromEntries(hosts.flatMap(({ host, ports }) => [...ports].map(([port, open]) => [`${host}:${port}`, open]))),
        localAddresses: Object.fromEntries(hosts.map(({ host, address }) => [host, address])),
        outsidePorts: options.outsidePorts(),
        dnsCapture: false,
      };
    },
    service(pod, host, port) {
      const found = callable(pod).find((one) => one.host === host);
      return found === undefined ? { host, port } : { host: found.address, port: found.ports.get(port) ?? port };
    },
    // By a name with a port that another program has, one would reach that program instead.
    hosts: (pod) =>
      callable(pod).filter(
        ({ ports }) =>
          [...ports].some(([port, open]) => port === open) && ![...ports.keys()].some((port) => options.loopback.isTaken(port)),
      ),
    release(pod) {
      for (const name of names.get(keyOf(pod)) ?? []) allocator.release(name);
      names.delete(keyOf(pod));
      addresses.release(`${keyOf(pod)} `);
    },
  };
}

/** Ports on which applications listen whatever they are told, and on every address as far as anybody knows. */
export function fixedPorts(resources: readonly DeclaredResource[], images: Readonly<Record<string, ImageCommand>>): readonly number[] {
  const pods = resources.flatMap((resource) => toDesiredWorkload(resource)?.pod(0) ?? []);
  return pods.flatMap((pod) => (pod.capture === "gateway" ? [] : declaredPorts(pod).filter((port) => !canMove(pod, port, images))));
}

function declaredPorts(pod: DesiredPod): readonly number[] {
  const ports = pod.spec.containers.flatMap((container) => container.ports ?? []);
  return [...new Set(ports.filter(({ protocol }) => protocol !== "UDP").map(({ containerPort }) => containerPort))];
}

function canMove(pod: DesiredPod, declared: number, images: Readonly<Record<string, ImageCommand>>): boolean {
  return pod.spec.containers.some((container) => portVariables(container, findImage(images, container.image ?? "")).has(declared));
}
