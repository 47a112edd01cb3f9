import { matchesLabels } from "../mesh/index.ts";
import type { ServiceBody } from "../schema/bodies.ts";
import { bounded } from "./pause.ts";
import type { DesiredPod } from "./pod.ts";
import type { PodRun } from "./pod-run.ts";
import type { ProxyControl } from "./pod-surroundings.ts";
import type { ResourceTable } from "./resources.ts";

/** Whom each pod has called. */
export type Calls = ReadonlyMap<PodRun, ReadonlySet<PodRun>>;

const ASK_MS = 1000;
/** A caller that takes longer may wait for the end of the one that it has called. */
const LAYER_MS = 2000;

/**
 * Ends all pods of a mesh so that nothing vanishes before the last call to it: gateways let nobody in and wait for what is in; applications end
 * before those that they have called, as far as that takes no long time; proxies end last. Endpoints stay meanwhile, as there is nowhere else to go.
 */
export async function stopTogether(runs: readonly PodRun[], calls: Calls): Promise<void> {
  const leaving = runs.filter(({ isStopping }) => isStopping);
  const staying = runs.filter(({ isStopping }) => !isStopping);
  for (const run of staying) run.retire({ withMesh: true });
  const [gateways, others] = [staying.filter(isGateway), staying.filter((run) => !isGateway(run))];
  await Promise.all(gateways.map((run) => run.closeEntry()));
  const ending: Promise<void>[] = [];
  for (const layer of callersFirst(others, calls)) {
    const ended = Promise.all(layer.map((run) => run.endApplication())).then(() => {});
    ending.push(ended);
    await bounded(ended, LAYER_MS);
  }
  await Promise.all(ending);
  await Promise.all([...staying.map((run) => run.end()), ...leaving.map((run) => run.stop())]);
}

function isGateway({ pod }: PodRun): boolean {
  return pod.capture === "gateway";
}

/** Layers of which none is called by a later one; those that call each other in a circle share one. */
export function callersFirst<T>(all: readonly T[], calls: ReadonlyMap<T, ReadonlySet<T>>): readonly (readonly T[])[] {
  const layers: (readonly T[])[] = [];
  for (let left = all; left.length > 0; ) {
    const uncalled = left.filter((one) => !left.some((other) => other !== one && calls.get(other)?.has(one)));
    const layer = uncalled.length === 0 ? left : uncalled;
    layers.push(layer);
    left = left.filter((one) => !layer.includes(one));
  }
  return layers;
}

/**
 * What the proxies have seen, and what a container's environment names: it may be called at the very end only. A host stands for the pods
 * that its Service selects.
 */
export async function findCalls(runs: readonly PodRun[], agent: ProxyControl, table: ResourceTable): Promise<Calls> {
  const calls = new Map<PodRun, ReadonlySet<PodRun>>();
  const find = (run: PodRun, seen: readonly string[]) => {
    const hosts = new Set([...seen, ...namedHosts(run.pod)]);
    const selectors = table.all.flatMap(({ kind, metadata, body }) =>
      kind === "Service" && hosts.has(`${metadata.name}.${metadata.namespace}.svc.cluster.local`)
        ? [{ namespace: metadata.namespace, labels: (body as ServiceBody).spec?.selector }]
        : [],
    );
    const isCalled = ({ pod }: PodRun) =>
      selectors.some(({ namespace, labels }) => namespace === pod.namespace && labels !== undefined && matchesLabels(labels, pod.labels));
    calls.set(run, new Set(runs.filter(isCalled)));
  };
  const ask = async (run: PodRun) => {
    find(run, []);
    find(run, await agent.calledHosts(run.pod));
  };
  const captured = runs.filter(({ pod }) => pod.capture === "sidecar");
  await Promise.all(captured.map((run) => bounded(ask(run), ASK_MS)));
  return calls;
}

/** Every word of the environment as the Service that a pod would reach by it, if there is one. */
function namedHosts({ namespace, spec }: DesiredPod): readonly string[] {
  const values = spec.containers.flatMap(({ env = [] }) => env.flatMap(({ value }) => value ?? []));
  return values
    .flatMap((value) => value.match(/[a-z0-9][a-z0-9.-]*/g) ?? [])
    .map((word) => {
      const [name, ns = namespace] = word.split(".");
      return `${name}.${ns}.svc.cluster.local`;
    });
}
