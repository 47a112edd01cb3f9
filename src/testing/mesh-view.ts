import { createPublicKey, type JsonWebKey, verify as verifySignature } from "node:crypto";
import type {
  ApplicationAnswer,
  ApplicationRequest,
  Decision,
  MeshView,
  Outcome,
  Request,
  Target,
  WorkloadRef,
} from "../evaluate/index.ts";
import { createMesh, type MeshSettingsOptions } from "../mesh/index.ts";
import type { Proxy } from "../model/proxy.ts";
import type { Workload } from "../model/workload.ts";
import { createTranslator } from "../translate/index.ts";
import type { EnvoyResource, Snapshot } from "../translate/envoy/resource.ts";
import { resourcesOf, router, sidecar } from "./mesh.ts";

export interface MeshViewOptions {
  readonly settings?: MeshSettingsOptions;
  /** Addresses that hosts outside the mesh have. */
  readonly externals?: Readonly<Record<string, string>>;
  readonly answerOf?: (request: ApplicationRequest) => ApplicationAnswer;
  readonly tlsOf?: NonNullable<MeshView["tlsOf"]>;
  /** Stands in for what a proxy was sent, to plant a mistake in it. */
  readonly alter?: (resource: EnvoyResource) => EnvoyResource;
}

export interface TestMeshView extends MeshView {
  /** What each proxy was sent, by `namespace/name`. */
  readonly proxies: ReadonlyMap<string, NonNullable<ReturnType<MeshView["proxyOf"]>>>;
  readonly workloads: readonly Workload[];
}

/** The mesh of some YAML as the evaluator sees it: each Pod with the sidecar annotation has a proxy, gateways by the label `istio`. */
export function meshView(yaml: string, options: MeshViewOptions = {}): TestMeshView {
  const resources = resourcesOf(yaml);
  const mesh = createMesh(resources, options.settings ?? {});
  const pods = resources
    .filter(({ kind }) => kind === "Pod")
    .map((pod) => mesh.workloads.find("Pod", pod.metadata.namespace, pod.metadata.name));
  const translator = createTranslator();
  const workloads = pods.filter((pod) => pod !== undefined);
  const proxies = new Map(
    workloads
      .filter(({ hasSidecar, labels }) => hasSidecar || labels["istio"] !== undefined)
      .map((pod) => {
        const isGateway = pod.labels["istio"] !== undefined;
        const { namespace, name, labels, serviceAccount, address } = pod;
        const proxy: Proxy = (isGateway ? router : sidecar)({ namespace, name, labels, serviceAccount, addresses: [address] });
        const snapshot = altered(translator.translate(mesh, proxy).snapshot, options.alter);
        return [
          `${namespace}/${name}`,
          { proxy, snapshot, identity: `spiffe://cluster.local/ns/${namespace}/sa/${serviceAccount}` },
        ] as const;
      }),
  );
  return {
    proxies,
    workloads,
    proxyOf: ({ namespace, name }) => proxies.get(`${namespace}/${name}`),
    workloadAt: (wanted) => workloads.find(({ address }) => address === wanted),
    externalAt: (address) => options.externals?.[address],
    verifyToken,
    ...(options.answerOf !== undefined && { answerOf: options.answerOf }),
    ...(options.tlsOf !== undefined && { tlsOf: options.tlsOf }),
  };
}

function altered(snapshot: Snapshot, alter: MeshViewOptions["alter"]): Snapshot {
  if (alter === undefined) return snapshot;
  return new Map([...snapshot].map(([type, byName]) => [type, new Map([...byName].map(([name, resource]) => [name, alter(resource)]))]));
}

/** The real check of a signature against the keys of a set. */
export function verifyToken(jwks: string, token: string): "ok" | "bad-signature" {
  const [head = "", payload = "", signature = ""] = token.split(".");
  const { keys } = JSON.parse(jwks) as { readonly keys: readonly JsonWebKey[] };
  const good = keys.some((key) => {
    const bytes = Buffer.from(`${head}.${payload}`);
    return verifySignature(
      "sha256",
      bytes,
      { key: createPublicKey({ key, format: "jwk" }), dsaEncoding: "ieee-p1363" },
      Buffer.from(signature, "base64url"),
    );
  });
  return good ? "ok" : "bad-signature";
}

/** A GET over HTTP/1.1 by a workload of `shop`, but for what is given. */
export function requestOf(over: Partial<Request> & { readonly by?: string } = {}): Request {
  const { by = "web", ...rest } = over;
  return {
    from: { kind: "workload", workload: { namespace: "shop", name: by } },
    destination: { address: "10.96.0.7", port: 80 },
    protocol: "http1",
    method: "GET",
    authority: "users",
    path: "/",
    headers: [],
    sourceAddress: "10.244.0.8",
    nowMs: 1_800_000_000_000,
    ...rest,
  };
}

/** The only outcome of a decision; an error where there are several. */
export function onlyOutcome({ outcomes }: Decision): Outcome {
  const [only] = outcomes;
  if (outcomes.length !== 1 || only === undefined) throw new Error(`${outcomes.length} outcomes: ${JSON.stringify(outcomes)}`);
  return only.outcome;
}

export function nameOf(target: Target | undefined): string {
  return target === undefined ? "nobody" : "external" in target ? target.external : (target as WorkloadRef).name;
}

/** A decision in a line a way: `80% 200 users-v1`. */
export function shortly({ outcomes }: Decision): readonly string[] {
  return outcomes.map(({ share, outcome }) => {
    const part = share === 1 ? "" : `${Math.round(share * 1000) / 10}% `;
    if (outcome.kind === "response")
      return `${part}${outcome.grpcStatus ?? outcome.status} ${outcome.by === "proxy" ? "proxy" : nameOf(outcome.to)}`;
    if (outcome.kind === "open") return `${part}open ${nameOf(outcome.to)}`;
    return outcome.kind === "undecided" ? `${part}undecided at ${outcome.at}` : `${part}${outcome.kind}`;
  });
}
