/** Envoy's admin page with the counter of calls to each cluster that a proxy sends to. */
export const CALLED_HOSTS_PATH = `/stats?usedonly&filter=${encodeURIComponent("^cluster\\.outbound.*\\.upstream_rq_total$")}`;

/** Reads that page: the hosts that the application has called through its proxy. */
export function parseCalledHosts(page: string): readonly string[] {
  const hosts = page.split("\n").flatMap((line) => /^cluster\.outbound[^:]*\|([^|:]+)\.upstream_rq_total: [1-9]/.exec(line)?.[1] ?? []);
  return [...new Set(hosts)];
}
