import type { OpenWork } from "../model/open-work.ts";

/** Envoy's admin page with the gauges that tell. */
export const OPEN_WORK_PATH = `/stats?usedonly&filter=${encodeURIComponent("downstream_(cx|rq)_active$")}`;

/** Reads that page. Each worker's share is also there, beside the sum; the connections of the admin itself are nobody's. */
export function parseOpenWork(page: string): OpenWork {
  let [connections, httpConnections, requests] = [0, 0, 0];
  for (const line of page.split("\n")) {
    const [, owner = "", name = "", what, value = ""] = /^(listener|http)\.(.*)\.downstream_(cx|rq)_active: (\d+)$/.exec(line) ?? [];
    if (name === "admin" || name.startsWith("admin.") || /\.(worker_\d+|main_thread)$/.test(name)) continue;
    if (owner === "listener") connections += what === "cx" ? Number(value) : 0;
    else if (what === "cx") httpConnections += Number(value);
    else requests += Number(value);
  }
  return { requests: requests + Math.max(0, connections - httpConnections), connections };
}
