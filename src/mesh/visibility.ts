/** Whether what `owner` declares with this `exportTo` may be seen from `viewer`. An empty list is the default `*`. */
export function isExported(exportTo: readonly string[], owner: string, viewer: string): boolean {
  if (exportTo.length === 0) return true;
  return exportTo.some((to) => to === "*" || to === viewer || (to === "." && owner === viewer));
}

/** A short name is completed with the namespace of the resource that wrote it; anything with a dot, and `*`, stays. */
export function qualifyHost(host: string, namespace: string, clusterDomain: string): string {
  if (host === "*" || host === "" || host.includes(".")) return host.toLowerCase();
  return `${host}.${namespace}.svc.${clusterDomain}`.toLowerCase();
}

/** The namespace that owns a host by its name (`x.shop.svc.cluster.local`, `*.shop.svc.cluster.local`); undefined for another form. */
export function namespaceOfHost(host: string, clusterDomain: string): string | undefined {
  const suffix = `.svc.${clusterDomain}`;
  if (!host.endsWith(suffix)) return undefined;
  const labels = host.slice(0, -suffix.length).split(".");
  return labels.length >= 2 ? labels.at(-1) : undefined;
}

export function matchesLabels(selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean {
  for (const key in selector) if (labels[key] !== selector[key]) return false;
  return true;
}

/** A label as a key of an index. */
export function labelKey([name, value]: readonly [name: string, value: string]): string {
  return `${name}=${value}`;
}
