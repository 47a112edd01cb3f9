import { isIp } from "../base/cidr.ts";
import { matchesLabels } from "../mesh/index.ts";
import type { SourcePosition } from "../model/position.ts";
import type { LocatedResource } from "../model/resource.ts";
import { type DesiredPod, toPodDocument } from "../runtime/pod.ts";
import { captureOf } from "../runtime/deployment.ts";
import { checkDocument, PROXY_CONFIG } from "../schema/index.ts";
import type { DeploymentBody, GatewayBody, PodBody, ServiceBody, ServiceEntryBody, WorkloadEntryBody } from "../schema/bodies.ts";
import type { MeshTest } from "./document.ts";

/** Something that runs in a test: by name, with an address of its own. */
export interface TestWorkload {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly role: "sidecar" | "gateway" | "none";
  readonly address: string;
  /** A WorkloadEntry stays what it is; everything else becomes a Pod. */
  readonly kind: "Pod" | "WorkloadEntry";
  readonly position: SourcePosition;
}

type Draft = Omit<TestWorkload, "address" | "role"> & {
  readonly role: TestWorkload["role"] | undefined;
  readonly address: string | undefined;
};

/** All that runs: the test's own list, and what its resources declare. Where one name is declared twice the first counts. */
export function workloadsOf(test: MeshTest, resources: readonly LocatedResource[]): readonly TestWorkload[] {
  const drafts = new Map<string, Draft>();
  for (const draft of [...test.workloads.map(fromShorthand), ...resources.flatMap(fromResource)]) {
    const key = `${draft.namespace}/${draft.name}`;
    if (!drafts.has(key)) drafts.set(key, draft);
  }
  const callers = test.calls.filter(({ from }) => from.kind === "gateway").map(({ from }) => from.workload);
  const selectors = resources.flatMap(selectorOf);
  const services = resources.flatMap(selectionOf);
  const addresses = allocate([...drafts.entries()]);
  return [...drafts].map(([key, { role, ...draft }]): TestWorkload => {
    const isGateway =
      role === "gateway" ||
      callers.includes(key) ||
      callers.includes(draft.name) ||
      selectors.some((selector) => matchesLabels(selector, draft.labels));
    return {
      ...draft,
      ports: withTargetPorts(draft, services),
      role: role === "none" ? "none" : isGateway ? "gateway" : "sidecar",
      address: addresses.get(key) ?? "",
    };
  });
}

/** The Pods that a kubelet would report, all of them ready. */
export function podsOf(workloads: readonly TestWorkload[]): readonly LocatedResource[] {
  return workloads.flatMap((workload) => {
    if (workload.kind === "WorkloadEntry") return [];
    const { namespace, name, labels, annotations, serviceAccount, ports, role, address, position } = workload;
    const containers = [
      { name: "app", ports: ports.map(({ name: portName, port }) => ({ ...(portName && { name: portName }), containerPort: port })) },
    ];
    const pod: DesiredPod = {
      namespace,
      name,
      owner: { kind: "Deployment", namespace, name },
      revision: "",
      labels,
      annotations,
      serviceAccount,
      capture: role,
      spec: { containers },
    };
    const value = toPodDocument(pod, { address, phase: "Running", ready: true, message: "", restarts: 0, terminating: false });
    return checkDocument({ value, locate: () => position }).resource ?? [];
  });
}

function fromShorthand(workload: MeshTest["workloads"][number]): Draft {
  const { name, namespace, labels, serviceAccount, ports, cluster, network, position } = workload;
  const topology = { ...(cluster && { "topology.istio.io/cluster": cluster }), ...(network && { "topology.istio.io/network": network }) };
  const all = { ...labels, ...topology };
  return {
    name,
    namespace,
    labels: all,
    annotations: {},
    serviceAccount,
    ports: ports.map((port) => ({ name: "", port })),
    kind: "Pod",
    position,
    address: undefined,
    role: roleOf(all, {}),
  };
}

function fromResource(resource: LocatedResource): readonly Draft[] {
  const { kind, metadata, body } = resource;
  switch (kind) {
    case "Deployment":
    case "StatefulSet": {
      const spec = (body as DeploymentBody).spec;
      if (spec?.template.spec === undefined || spec.replicas === 0) return [];
      const { labels = {}, annotations = {} } = spec.template.metadata ?? {};
      return [fromPodSpec(resource, { labels, annotations, spec: spec.template.spec as PodSpec })];
    }
    case "Pod": {
      const { spec, status } = body as PodBody;
      if (spec === undefined) return [];
      const address = status?.podIP;
      return [
        { ...fromPodSpec(resource, { labels: metadata.labels, annotations: metadata.annotations, spec }), ...(address && { address }) },
      ];
    }
    case "WorkloadEntry": {
      const { spec } = body as WorkloadEntryBody;
      const labels = { ...metadata.labels, ...spec.labels };
      const tlsMode = labels["security.istio.io/tlsMode"];
      const hasProxy = tlsMode === undefined ? spec.serviceAccount !== undefined : tlsMode === "istio";
      const ports = Object.entries(spec.ports ?? {}).map(([name, port]) => ({ name, port: port as number }));
      const place = { name: metadata.name, namespace: metadata.namespace, position: resource.locate(["metadata", "name"]) };
      const address = spec.address !== undefined && isIp(spec.address) ? spec.address : undefined;
      const serviceAccount = spec.serviceAccount ?? "default";
      return [
        { ...place, labels, annotations: {}, serviceAccount, ports, kind: "WorkloadEntry", address, role: hasProxy ? undefined : "none" },
      ];
    }
    default:
      return [];
  }
}

type PodSpec = NonNullable<PodBody["spec"]>;

function fromPodSpec(
  { metadata, locate }: LocatedResource,
  template: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
    readonly spec: PodSpec;
  },
): Draft {
  const { labels, annotations, spec } = template;
  return {
    name: metadata.name,
    namespace: metadata.namespace,
    labels,
    // What says where a Pod listens and who stands beside it is of the cluster that it was taken from.
    annotations: Object.fromEntries(Object.entries(annotations).filter(([key]) => key === PROXY_CONFIG)),
    serviceAccount: spec.serviceAccountName ?? spec.serviceAccount ?? "default",
    ports: spec.containers.flatMap(({ ports = [] }) => ports.map(({ name = "", containerPort }) => ({ name, port: containerPort }))),
    kind: "Pod",
    position: locate(["metadata", "name"]),
    address: undefined,
    role: roleOf(labels, annotations),
  };
}

function roleOf(labels: Draft["labels"], annotations: Draft["labels"]): Draft["role"] {
  const capture = captureOf(labels, annotations);
  return capture === "sidecar" ? undefined : capture;
}

/** A Gateway without a selector is for every gateway, but makes none. */
function selectorOf(resource: LocatedResource): readonly Readonly<Record<string, string>>[] {
  if (resource.kind !== "Gateway") return [];
  const selector = (resource.body as GatewayBody).spec?.selector ?? {};
  return Object.keys(selector).length === 0 ? [] : [selector];
}

/** Which workloads a Service sends to, or a ServiceEntry that selects some, and on which ports. */
interface Selection {
  readonly namespace: string;
  readonly selector: Readonly<Record<string, string>>;
  readonly ports: readonly { readonly port: number; readonly target: number | string }[];
}

function selectionOf({ kind, metadata, body }: LocatedResource): readonly Selection[] {
  const { namespace } = metadata;
  if (kind === "Service") {
    const { selector = {}, ports = [] } = (body as ServiceBody).spec ?? {};
    return [{ namespace, selector, ports: ports.map(({ port, targetPort = port }) => ({ port, target: targetPort })) }];
  }
  if (kind !== "ServiceEntry") return [];
  const { workloadSelector, ports = [] } = (body as ServiceEntryBody).spec;
  return [
    {
      namespace,
      selector: workloadSelector?.labels ?? {},
      ports: ports.map(({ number, targetPort = number }) => ({ port: number, target: targetPort })),
    },
  ];
}

/** A workload listens on what the Services that select it send it. A named port that it doesn't declare is its first one. */
function withTargetPorts(draft: Pick<Draft, "namespace" | "labels" | "ports">, selections: readonly Selection[]): TestWorkload["ports"] {
  const ports = [...draft.ports];
  for (const { namespace, selector, ports: served } of selections) {
    if (namespace !== draft.namespace || Object.keys(selector).length === 0 || !matchesLabels(selector, draft.labels)) continue;
    for (const { port, target } of served) {
      const number = Number(target);
      if (Number.isInteger(number)) {
        if (!ports.some((known) => known.port === number)) ports.push({ name: "", port: number });
      } else if (!ports.some(({ name }) => name === target)) {
        const own = draft.ports.some((known) => known.port === port) ? port : (draft.ports[0]?.port ?? port);
        ports.push({ name: String(target), port: own });
      }
    }
  }
  const named = new Set(ports.flatMap(({ name, port }) => (name === "" ? [] : [port])));
  return ports.filter(({ name, port }) => name !== "" || !named.has(port));
}

/** 10.244.0.0/16, in order of namespace and name, passing over what is declared. */
function allocate(drafts: readonly (readonly [string, Draft])[]): ReadonlyMap<string, string> {
  const taken = new Set(drafts.map(([, { address }]) => address));
  const addresses = new Map<string, string>();
  let next = 0;
  for (const [key, { address }] of drafts.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    let own = address;
    while (own === undefined) {
      const candidate = `10.244.${1 + Math.floor(next / 250)}.${2 + (next % 250)}`;
      next++;
      if (!taken.has(candidate)) own = candidate;
    }
    addresses.set(key, own);
  }
  return addresses;
}
