import type { Proxy } from "../model/proxy.ts";
import type { ImageCommand } from "./kumiko-yaml.ts";
import { findImage } from "./container-command.ts";
import { PortAllocator } from "./local-ports.ts";
import type { DesiredPod, PodStatus } from "./pod.ts";

/** How a pod's traffic gets to its proxy, and where its services are found: differs between the two modes. */
export interface PodPorts {
  /** Part of the pod's status. */
  of(pod: DesiredPod): Pick<PodStatus, "sidecarPorts" | "appPorts">;
  /** Port on which this replica's application listens for a declared one. */
  appPort(pod: DesiredPod, declared: number): number;
  proxy(pod: DesiredPod): Pick<Proxy, "capture" | "localPorts" | "dnsCapture">;
  /** Where the application finds a service. */
  service(pod: DesiredPod, host: string, port: number): { readonly host: string; readonly port: number };
  release(pod: DesiredPod): void;
}

/** In namespaces every pod has all ports for itself; a gateway's proxy has no application whose DNS it could answer. */
export const namespacePorts: PodPorts = {
  of: () => ({}),
  appPort: (_pod, declared) => declared,
  proxy: (pod) => ({ capture: "redirect", localPorts: {}, dnsCapture: pod.capture === "sidecar" }),
  service: (_pod, host, port) => ({ host, port }),
  release: () => {},
};

export interface LocalPortsOptions {
  readonly images: () => Readonly<Record<string, ImageCommand>>;
  /** `host:port` of all that may be called. */
  readonly callable: () => readonly string[];
}

/** Ports of the loopback address, where all pods share it. */
export function createLocalPorts(options: LocalPortsOptions): PodPorts {
  const allocator = new PortAllocator();
  const names = new Map<string, Set<string>>();
  const keyOf = (pod: DesiredPod) => `${pod.namespace}/${pod.name}`;
  const allocate = (pod: DesiredPod, what: string) => {
    const name = `${keyOf(pod)} ${what}`;
    const own = names.get(keyOf(pod)) ?? new Set();
    names.set(keyOf(pod), own.add(name));
    return allocator.get(name);
  };
  // The declared port itself is left to those who can't move: gateways, and images without `portEnv`.
  const appPort = (pod: DesiredPod, declared: number) => (canMove(pod, options.images()) ? allocate(pod, `app ${declared}`) : declared);
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
      const localPorts: Record<string, number> = {};
      if (pod.capture === "sidecar") for (const host of options.callable()) localPorts[host] = allocate(pod, `to ${host}`);
      return { capture: "none", localPorts, dnsCapture: false };
    },
    service: (pod, host, port) =>
      pod.capture === "sidecar" ? { host: "127.0.0.1", port: allocate(pod, `to ${host}:${port}`) } : { host, port },
    release(pod) {
      for (const name of names.get(keyOf(pod)) ?? []) allocator.release(name);
      names.delete(keyOf(pod));
    },
  };
}

function declaredPorts(pod: DesiredPod): readonly number[] {
  const ports = pod.spec.containers.flatMap((container) => container.ports ?? []);
  return [...new Set(ports.filter(({ protocol }) => protocol !== "UDP").map(({ containerPort }) => containerPort))];
}

function canMove(pod: DesiredPod, images: Readonly<Record<string, ImageCommand>>): boolean {
  return pod.spec.containers.some(({ image }) => findImage(images, image ?? "")?.portEnv !== undefined);
}
