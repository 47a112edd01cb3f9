import { requestOverSocket } from "../../../agent/unix-http.ts";
import { MeshError } from "../../../model/error.ts";

const WARMING_LISTENERS = "listener_manager.total_listeners_warming";
const WARMING_CLUSTERS = "cluster_manager.warming_clusters";
/** What is still served although it was replaced. */
const DRAINING = ["listener_manager.total_listeners_draining", "listener_manager.total_filter_chains_draining"];
const STARTED = "listener_manager.workers_started";
const NAMES = [WARMING_LISTENERS, WARMING_CLUSTERS, ...DRAINING, STARTED];
const PATH = `/stats?filter=${encodeURIComponent(`^(${NAMES.join("|").replaceAll(".", "\\.")})$`)}`;
const LOOK_AGAIN_MS = 5;

/** What never becomes ready, because it names a Secret that isn't there or that Envoy can't use. */
export interface Unready {
  readonly listeners: number;
  readonly clusters: number;
}

/** Resolves when Envoy serves what it acknowledged last, and no longer what was before it. @throws MeshError `timeout` */
export async function untilServing(adminSocket: string, name: string, unready: Unready, deadlineMs: number): Promise<void> {
  for (;;) {
    const answer = await requestOverSocket(adminSocket, PATH, { timeoutMs: 1000 }).catch(() => undefined);
    const text = answer?.status === 200 ? answer.body.toString("utf8") : "";
    if (isServing(text, unready)) return;
    if (performance.now() >= deadlineMs) {
      throw new MeshError(
        "timeout",
        `the Envoy of ${name} doesn't serve its configuration in time: ${text.trim().replaceAll("\n", ", ") || "no answer"}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

function isServing(text: string, { listeners, clusters }: Unready): boolean {
  const values = new Map(text.split("\n").map((line) => line.split(": ", 2) as [string, string]));
  const isAtMost = (name: string, most: number) => Number(values.get(name) ?? Number.NaN) <= most;
  const isWarm = isAtMost(WARMING_LISTENERS, listeners) && isAtMost(WARMING_CLUSTERS, clusters);
  return values.get(STARTED) === "1" && isWarm && DRAINING.every((name) => isAtMost(name, 0));
}
