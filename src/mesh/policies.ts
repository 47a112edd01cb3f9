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

/** The policies of one kind and namespace, the oldest first. */
interface Declared {
  readonly toAll: Resource[];
  /** By one label of their selector, which a workload must have. */
  readonly byLabel: Map<string, Selecting[]>;
}

interface Selecting {
  readonly policy: Resource;
  readonly labels: Readonly<Record<string, string>>;
  readonly rank: number;
}

/** PeerAuthentication, RequestAuthentication and AuthorizationPolicy by namespace and selector. */
export class PolicyIndex {
  readonly #rootNamespace: string;
  readonly #byKindAndNamespace = new Map<string, Declared>();

  constructor(resources: Iterable<Resource>, rootNamespace: string) {
    this.#rootNamespace = rootNamespace;
    const policies = [...resources].filter(({ kind }) => KINDS.has(kind));
    policies.sort((a, b) => byAge(ageOf(a), ageOf(b)));
    for (const [rank, policy] of policies.entries()) this.#add(policy, rank);
  }

  /** What concerns a workload. A policy with `targetRefs` names a Gateway or Service instead and is not among them. */
  find<Kind extends PolicyKind>(
    kind: Kind,
    workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  ): PoliciesOf<Kind> {
    const root = this.#byKindAndNamespace.get(`${kind}/${this.#rootNamespace}`);
    const isOfRoot = workload.namespace === this.#rootNamespace;
    const own = isOfRoot ? undefined : this.#byKindAndNamespace.get(`${kind}/${workload.namespace}`);
    const found = {
      mesh: root?.toAll ?? [],
      namespace: own?.toAll ?? [],
      workload: [...selecting(own, workload.labels), ...selecting(root, workload.labels)],
    };
    return found as PoliciesOf<Kind>;
  }

  #add(policy: Resource, rank: number): void {
    const key = `${policy.kind}/${policy.metadata.namespace}`;
    const declared: Declared = this.#byKindAndNamespace.get(key) ?? { toAll: [], byLabel: new Map() };
    this.#byKindAndNamespace.set(key, declared);
    const labels = selectorOf(policy);
    const [first] = Object.entries(labels ?? {});
    if (labels === undefined || first === undefined) {
      if (appliesToAll(policy)) declared.toAll.push(policy);
      return;
    }
    const label = labelKey(first);
    const others = declared.byLabel.get(label);
    const entry = { policy, labels, rank };
    if (others === undefined) declared.byLabel.set(label, [entry]);
    else others.push(entry);
  }
}

function selecting(declared: Declared | undefined, labels: Readonly<Record<string, string>>): readonly Resource[] {
  if (declared === undefined || declared.byLabel.size === 0) return [];
  return Object.entries(labels)
    .flatMap((label) => declared.byLabel.get(labelKey(label)) ?? [])
    .filter((entry) => matchesLabels(entry.labels, labels))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ policy }) => policy);
}

const labelKey = ([name, value]: readonly [string, string]): string => `${name}=${value}`;

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
