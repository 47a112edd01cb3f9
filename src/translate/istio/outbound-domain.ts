import type { MeshSettings, ProxyView } from "../../mesh/index.ts";
import type { Service } from "../../model/service.ts";

/** What the names of a service depend on at a client. */
export type Client = Pick<ProxyView, "namespace" | "dnsCapture">;

/**
 * Every way in which a client may write a service's name: in full, and, for names of the cluster, as short as its own namespace allows
 * (`users` only there, `users.shop` and `users.shop.svc` everywhere); its virtual addresses too. Ports are compared by nobody.
 * In Istio's profile the dot at the end of a whole name stays on it (PILOT_ENABLE_ABSOLUTE_FQDN_VHOST_DOMAIN); the other one takes it off.
 */
export function domainsOf(service: Service, proxy: Client, settings: MeshSettings): readonly string[] {
  const names = namesOf(service.host, proxy.namespace, settings.clusterDomain);
  const pods = service.headless ? names.map((name) => `*.${name}`) : [];
  const whole = settings.profile === "istio" && !service.host.startsWith("*") ? [`${service.host}.`] : [];
  return [
    ...names,
    ...whole,
    ...pods,
    ...addressesOf(service, proxy)
      .filter((address) => !address.includes("/"))
      .map(bracketed),
  ];
}

/** A host in full, and the short forms that mean it in a namespace. */
export function namesOf(host: string, namespace: string, clusterDomain: string): readonly string[] {
  const suffix = `.svc.${clusterDomain}`;
  if (!host.endsWith(suffix) || host.startsWith("*")) return [host];
  const short = host.slice(0, -suffix.length);
  const dot = short.lastIndexOf(".");
  if (dot <= 0) return [host];
  const alone = short.slice(dot + 1) === namespace ? [short.slice(0, dot)] : [];
  return [host, ...alone, `${short}.svc`, short];
}

/** The virtual addresses by which a proxy's workload may reach a service; one of the mesh's choosing only where the mesh answers its DNS. */
export function addressesOf(service: Service, proxy: Pick<Client, "dnsCapture">): readonly string[] {
  if (service.addresses.length > 0 || service.headless) return service.addresses;
  const known = service.kind === "kubernetes" || proxy.dnsCapture;
  return known && service.allocatedAddress !== undefined ? [service.allocatedAddress] : [];
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}
