import type { DeltaRequest, Push } from "../xds/protocol/message.ts";
import { SENDING_ORDER, type Offered } from "../xds/protocol/offer.ts";
import type { ResourceType } from "../translate/envoy/resource.ts";

/** A resource that the model refuses, as Envoy refuses a bad one, carries this in its version. */
export const POISON = "poison";

const WILDCARD_TYPES: readonly ResourceType[] = ["cluster", "listener"];

/**
 * Envoy as the protocol sees it: it follows references from clusters and listeners by subscribing to names, applies the good ones of a bad
 * CDS or LDS message and nothing of another bad one, and acknowledges clusters only when they have their endpoints. `faults` collects what
 * must never happen.
 */
export class ModelXdsClient {
  readonly held = new Map<ResourceType, Map<string, Offered>>(SENDING_ORDER.map((type) => [type, new Map()]));
  readonly faults: string[] = [];
  readonly requests: DeltaRequest[] = [];
  readonly #subscribed = new Map<ResourceType, Set<string>>();
  /** Clusters wait here for the endpoints of a changed or new cluster. */
  readonly #warming = new Set<string>();
  /** Came in a message that was refused: the server may send these once more, without the bad ones. */
  readonly #doubtful = new Set<string>();
  /** How often a name was asked for; each time after the first, what crossed the question on its way may come twice. */
  readonly #asked = new Map<string, number>();
  #clusterAnswer: DeltaRequest | undefined;

  connect(): void {
    this.requests.length = 0;
    this.#clusterAnswer = undefined;
    this.#warming.clear();
    const named = [...this.#subscribed].filter(([type]) => !WILDCARD_TYPES.includes(type));
    for (const type of WILDCARD_TYPES) this.#request({ type, initialVersions: this.#versionsOf(type) });
    for (const [type, names] of named) this.#request({ type, subscribe: [...names], initialVersions: this.#versionsOf(type) });
  }

  deliver(push: Push): void {
    this.#check(push);
    const bad = push.resources.filter(({ version }) => version.includes(POISON));
    const isolates = push.type === "cluster" || push.type === "listener";
    const good = bad.length === 0 || isolates ? push.resources.filter((resource) => !bad.includes(resource)) : [];
    if (bad.length > 0) for (const { name, version } of push.resources) this.#doubtful.add(`${push.type}/${name}@${version}`);
    for (const name of push.removed) {
      this.#of(push.type).delete(name);
      if (push.type === "endpoint") this.#endWarming(name);
    }
    for (const resource of good) this.#apply(push.type, resource);
    const answer: DeltaRequest = {
      ...EMPTY,
      type: push.type,
      nonce: push.nonce,
      ...(bad.length > 0 && { error: errorText(push.type, bad) }),
    };
    if (push.type === "cluster" && this.#warming.size > 0) this.#clusterAnswer = answer;
    else this.requests.push(answer);
    this.#follow();
    this.#findDangling(push);
  }

  #apply(type: ResourceType, resource: Offered): void {
    const before = this.#of(type).get(resource.name);
    this.#of(type).set(resource.name, resource);
    if (type === "cluster" && before?.version !== resource.version) {
      for (const to of resource.references) if (to.type === "endpoint") this.#warming.add(to.name);
    }
    if (type === "endpoint") this.#endWarming(resource.name);
  }

  #endWarming(endpoint: string): void {
    this.#warming.delete(endpoint);
    if (this.#warming.size === 0 && this.#clusterAnswer !== undefined) {
      this.requests.push(this.#clusterAnswer);
      this.#clusterAnswer = undefined;
    }
  }

  /** Subscribes to what the held clusters and listeners name, and unsubscribes from the rest. */
  #follow(): void {
    for (const type of ["endpoint", "extension", "route", "secret"] as const) {
      const names = new Set<string>();
      for (const from of WILDCARD_TYPES) {
        for (const { references } of this.#of(from).values()) for (const to of references) if (to.type === type) names.add(to.name);
      }
      const before = this.#subscribed.get(type) ?? new Set();
      const subscribe = [...names].filter((name) => !before.has(name));
      const unsubscribe = [...before].filter((name) => !names.has(name));
      for (const name of unsubscribe) this.#of(type).delete(name);
      this.#subscribed.set(type, names);
      if (subscribe.length + unsubscribe.length > 0) this.#request({ type, subscribe, unsubscribe });
    }
  }

  #check(push: Push): void {
    for (const { name, version } of push.resources) {
      if (this.#doubtful.delete(`${push.type}/${name}@${version}`)) continue;
      if (this.#of(push.type).get(name)?.version !== version || this.#warming.has(name)) continue;
      const asked = this.#asked.get(`${push.type}/${name}`) ?? 0;
      if (asked > 1) this.#asked.set(`${push.type}/${name}`, asked - 1);
      else this.faults.push(`${push.type}/${name}@${version} was sent twice`);
    }
    for (const name of push.removed) {
      // That there is none is said at once: a cluster that goes away again warms without.
      if (push.type === "endpoint" && !this.#of("endpoint").has(name)) continue;
      const reference = [...this.held]
        .flatMap(([type, all]) => [...all.values()].map((resource) => ({ type, resource })))
        .find(({ resource }) => resource.references.some((to) => to.type === push.type && to.name === name));
      if (reference !== undefined)
        this.faults.push(`${push.type}/${name} was removed while ${reference.type}/${reference.resource.name} names it`);
    }
  }

  /** A route or a policy that names a cluster which isn't there answers 503. */
  #findDangling(push: Push): void {
    for (const type of ["listener", "route", "extension"] as const) {
      for (const { name, references } of this.#of(type).values()) {
        for (const to of references) {
          if (to.type === "cluster" && !this.#of("cluster").has(to.name) && !to.name.includes(POISON))
            this.faults.push(`after ${push.type}: ${type}/${name} names cluster/${to.name}`);
        }
      }
    }
  }

  #request(over: Partial<DeltaRequest> & { type: ResourceType }): void {
    for (const name of over.subscribe ?? []) this.#asked.set(`${over.type}/${name}`, (this.#asked.get(`${over.type}/${name}`) ?? 0) + 1);
    this.requests.push({ ...EMPTY, ...over });
  }

  #versionsOf(type: ResourceType): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#of(type).values()].map(({ name, version }) => [name, version]));
  }

  #of(type: ResourceType): Map<string, Offered> {
    return this.held.get(type) as Map<string, Offered>;
  }
}

const EMPTY = { kind: "delta", nonce: "", subscribe: [], unsubscribe: [], initialVersions: {} } as const;

function errorText(type: ResourceType, bad: readonly Offered[]): string {
  if (type === "listener") return `Error adding/updating listener(s) ${bad.map(({ name }) => `${name}: it is bad\n`).join("")}`;
  if (type === "cluster") return `Error adding/updating cluster(s) ${bad.map(({ name }) => `${name}: it is bad`).join(", ")}`;
  return "it is bad";
}
