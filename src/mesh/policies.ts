import { refOf, type Resource } from "../model/resource.ts";
import type { AuthorizationPolicyBody, PeerAuthenticationBody, RequestAuthenticationBody } from "../schema/bodies.ts";
import { byAge, matchesLabels } from "./visibility.ts";

interface BodyByKind {
  readonly PeerAuthentication: PeerAuthenticationBody;
  readonly RequestAuthentication: RequestAuthenticationBody;
  readonly AuthorizationPolicy: AuthorizationPolicyBody;
}

export type PolicyKind = keyof BodyByKind;

/** The policies of one kind that concern a workload, by how near they stand; each list the oldest first. */
export interface PoliciesOf<Kind extends PolicyKind> {
  /** Of the root namespace, without a selector: the whole mesh. */
  readonly mesh: readonly Resource<BodyByKind[Kind]>[];
  /** Of the workload's namespace, without a selector. */
  readonly namespace: readonly Resource<BodyByKind[Kind]>[];
  /** With a selector that the workload's labels match, of its namespace or of the root namespace. */
  readonly workload: readonly Resource<BodyByKind[Kind]>[];
}

const KINDS: ReadonlySet<string> = new Set<PolicyKind>(["PeerAuthentication", "RequestAuthentication", "AuthorizationPolicy"]);

/** PeerAuthentication, RequestAuthentication and AuthorizationPolicy by namespace and selector. */
export class PolicyIndex {
  readonly #rootNamespace: string;
  readonly #byKindAndNamespace: ReadonlyMap<string, readonly Resource[]>;

  constructor(resources: Iterable<Resource>, rootNamespace: string) {
    const index = new Map<string, Resource[]>();
    for (const resource of resources) {
      if (!KINDS.has(resource.kind)) continue;
      const key = `${resource.kind}/${resource.metadata.namespace}`;
      const list = index.get(key);
      if (list === undefined) index.set(key, [resource]);
      else list.push(resource);
    }
    for (const list of index.values()) list.sort((a, b) => byAge(ageOf(a), ageOf(b)));
    this.#rootNamespace = rootNamespace;
    this.#byKindAndNamespace = index;
  }

  /** What concerns a workload. A policy with `targetRefs` names a Gateway or Service instead and is not among them. */
  find<Kind extends PolicyKind>(
    kind: Kind,
    workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  ): PoliciesOf<Kind> {
    const root = this.#inNamespace(kind, this.#rootNamespace);
    const own = workload.namespace === this.#rootNamespace ? [] : this.#inNamespace(kind, workload.namespace);
    return {
      mesh: root.filter((policy) => appliesToAll(policy)),
      namespace: own.filter((policy) => appliesToAll(policy)),
      workload: [...own, ...root].filter((policy) => {
        const labels = selectorOf(policy);
        return labels !== undefined && matchesLabels(labels, workload.labels);
      }),
    };
  }

  #inNamespace<Kind extends PolicyKind>(kind: Kind, namespace: string): readonly Resource<BodyByKind[Kind]>[] {
    return (this.#byKindAndNamespace.get(`${kind}/${namespace}`) ?? []) as readonly Resource<BodyByKind[Kind]>[];
  }
}

function appliesToAll(policy: Resource): boolean {
  const { spec } = policy.body as AuthorizationPolicyBody;
  return selectorOf(policy) === undefined && spec?.targetRef === undefined && (spec?.targetRefs ?? []).length === 0;
}

/** An empty selector is as good as none. */
function selectorOf(policy: Resource): Readonly<Record<string, string>> | undefined {
  const labels = (policy.body as AuthorizationPolicyBody).spec?.selector?.matchLabels;
  return labels === undefined || Object.keys(labels).length === 0 ? undefined : labels;
}

function ageOf(resource: Resource) {
  return { ...refOf(resource), created: resource.metadata.creationTimestamp ?? "" };
}
