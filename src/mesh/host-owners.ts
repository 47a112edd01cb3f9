import type { Service } from "../model/service.ts";
import { namespaceOfHost } from "./visibility.ts";

/** Whose a name is before anybody claims it: names of the cluster's form, in full or short, are their namespace's. */
export class HostOwners {
  readonly #shortNames: ReadonlyMap<string, string>;
  readonly #clusterDomain: string;

  constructor(services: Iterable<Service>, clusterDomain: string) {
    const shortNames = new Map<string, string>();
    for (const { kind, name, namespace } of services) if (kind === "kubernetes") shortNames.set(`${name}.${namespace}`, namespace);
    this.#shortNames = shortNames;
    this.#clusterDomain = clusterDomain;
  }

  /** A namespace; empty for a name that is no single namespace's (`*.svc.cluster.local`); undefined for one outside of the cluster's names. */
  of(host: string): string | undefined {
    const domain = `svc.${this.#clusterDomain}`;
    const full = host.endsWith(".svc") ? `${host}.${this.#clusterDomain}` : host;
    if (full === domain || full.endsWith(`.${domain}`)) return namespaceOfHost(full, this.#clusterDomain) ?? "";
    // A wildcard above the cluster's domain covers all of its names.
    if (host.startsWith("*.") && `.${domain}`.endsWith(host.slice(1))) return "";
    return this.#shortNames.get(host);
  }
}
