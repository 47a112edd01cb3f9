import { expect, test } from "vitest";
import { ModelXdsClient, POISON } from "../../testing/model-xds-client.ts";
import type { Push } from "./message.ts";
import { SENDING_ORDER, type Offered, type Offers, type Reference } from "./offer.ts";
import { StreamState } from "./order.ts";
import { findDangling } from "./reference.ts";
import { fc } from "../../testing/property.ts";

const CLUSTERS = ["a", "b", "c"];

const resource = (name: string, version: string, references: readonly Reference[]): Offered => ({
  name,
  version,
  bytes: new Uint8Array(),
  references,
});
const byName = (resources: readonly Offered[]) => new Map(resources.map((one) => [one.name, one]));
const to = (type: Reference["type"]) => (name: string) => ({ type, name });

const version = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("1", "2", "3") },
  { weight: 1, arbitrary: fc.constantFrom(`${POISON}1`, `${POISON}2`) },
);
const good = fc.constantFrom("1", "2", "3");

/** A snapshot in which every reference is met; clusters keep good versions, so that a route may count on them. */
const snapshot: fc.Arbitrary<Offers> = fc
  .record({
    clusters: fc.uniqueArray(fc.tuple(fc.constantFrom(...CLUSTERS), good, good), { selector: ([name]) => name }),
    routes: fc.uniqueArray(fc.tuple(fc.constantFrom("80", "90"), version, fc.subarray(CLUSTERS)), { selector: ([name]) => name }),
    policies: fc.tuple(version, fc.subarray(CLUSTERS)),
    listeners: fc.uniqueArray(fc.tuple(fc.constantFrom("in", "out", "tcp"), version, fc.subarray(["80", "90"]), fc.subarray(CLUSTERS)), {
      selector: ([name]) => name,
    }),
  })
  .map(({ clusters, routes, policies, listeners }) => {
    const present = new Set(clusters.map(([name]) => name));
    const there = (names: readonly string[]) => names.filter((name) => present.has(name)).map(to("cluster"));
    const routeNames = new Set<string>(routes.map(([name]) => name));
    // A version is the hash of the content, references included.
    const hashed = (name: string, number: string, references: readonly Reference[]) =>
      resource(name, `${number}-${JSON.stringify(references)}`, references);
    return new Map([
      ["cluster", byName(clusters.map(([name, number]) => hashed(name, number, [to("endpoint")(name)])))],
      ["endpoint", byName(clusters.map(([name, , number]) => hashed(name, number, [])))],
      ["secret", byName([])],
      ["extension", byName([hashed("authz", policies[0], there(policies[1]))])],
      ["route", byName(routes.map(([name, number, names]) => hashed(name, number, there(names))))],
      [
        "listener",
        byName(
          listeners.map(([name, number, names, clusterNames]) =>
            hashed(name, number, [
              to("extension")("authz"),
              ...names.filter((one) => routeNames.has(one)).map(to("route")),
              ...there(clusterNames),
            ]),
          ),
        ),
      ],
    ] as const);
  });

type Step =
  | { readonly kind: "deliver" }
  | { readonly kind: "answer" }
  | { readonly kind: "reconnect" }
  | { readonly kind: "snapshot"; readonly snapshot: Offers };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Step>({ kind: "deliver" }) },
  { weight: 6, arbitrary: fc.constant<Step>({ kind: "answer" }) },
  { weight: 2, arbitrary: snapshot.map((one): Step => ({ kind: "snapshot", snapshot: one })) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: "reconnect" }) },
);

class World {
  readonly client = new ModelXdsClient();
  #onTheWay: Push[] = [];
  #nonce = 0;
  #stream: StreamState;
  #snapshot: Offers;
  nacks = 0;
  hasReconnected = false;

  constructor(first: Offers) {
    this.#snapshot = first;
    this.#stream = this.#open();
  }

  take(one: Step): void {
    if (one.kind === "deliver") this.deliver();
    else if (one.kind === "answer") this.answer();
    else if (one.kind === "reconnect") {
      this.hasReconnected = true;
      this.#onTheWay = [];
      this.#stream = this.#open();
    } else {
      this.#snapshot = one.snapshot;
      this.#stream.setOffers(one.snapshot);
      this.#pump();
    }
  }

  /** Until nothing is on the way in either direction; false where that never comes. */
  settle(): boolean {
    for (let i = 0; i < 500; i++) if (!this.deliver() && !this.answer()) return true;
    return false;
  }

  deliver(): boolean {
    const push = this.#onTheWay.shift();
    if (push !== undefined) this.client.deliver(push);
    return push !== undefined;
  }

  answer(): boolean {
    const request = this.client.requests.shift();
    if (request === undefined) return false;
    if (this.#stream.receive(request).kind === "nack") this.nacks += 1;
    this.#pump();
    return true;
  }

  get snapshot(): Offers {
    return this.#snapshot;
  }

  #open(): StreamState {
    const stream = new StreamState("delta", () => String(++this.#nonce));
    stream.setOffers(this.#snapshot);
    this.client.connect();
    return stream;
  }

  #pump(): void {
    for (let push = this.#stream.next(); push !== undefined; push = this.#stream.next()) this.#onTheWay.push(push);
    const types = this.#onTheWay.map(({ type }) => type);
    expect(new Set(types).size, "at most one unanswered message a type").toBe(types.length);
  }
}

/** What a client that follows references holds once all is quiet; a refused version leaves the last one that was accepted. */
function differences(world: World): readonly string[] {
  const { client, snapshot: wanted } = world;
  const wrong: string[] = [];
  for (const type of SENDING_ORDER) {
    const held = client.held.get(type) ?? new Map<string, Offered>();
    for (const [name, one] of held) {
      const target = wanted.get(type)?.get(name);
      if (target === undefined && !isNamed(client, type, name) && !keepsUnknown(world)) wrong.push(`${type}/${name} stayed`);
      else if (target !== undefined && one.version !== target.version && !target.version.includes(POISON))
        wrong.push(`${type}/${name} is old`);
    }
    if (type !== "cluster" && type !== "listener") continue;
    for (const [name, { version: target }] of wanted.get(type) ?? [])
      if (!held.has(name) && !target.includes(POISON)) wrong.push(`${type}/${name} is missing`);
  }
  for (const from of ["cluster", "listener"] as const) {
    for (const { references } of client.held.get(from)?.values() ?? []) {
      for (const { type, name } of references) {
        const target = wanted.get(type)?.get(name);
        if (target !== undefined && !target.version.includes(POISON) && !client.held.get(type)?.has(name))
          wrong.push(`${type}/${name} never came`);
      }
    }
  }
  return wrong;
}

/**
 * A client came back with an old version of which the server knows only the hash, and refuses the new one: nobody can tell what the old one
 * names, so nothing is taken away from this client until the resource is mended.
 */
function keepsUnknown({ client, snapshot: wanted, hasReconnected }: World): boolean {
  if (!hasReconnected) return false;
  return [...wanted].some(([type, offer]) =>
    [...offer.values()].some(({ name, version: one }) => one.includes(POISON) && client.held.get(type)?.has(name)),
  );
}

function isNamed(client: ModelXdsClient, type: Reference["type"], name: string): boolean {
  return [...client.held.values()].some((all) =>
    [...all.values()].some(({ references }) => references.some((one) => one.type === type && one.name === name)),
  );
}

test("whatever happens, the client comes to hold the snapshot, never a dangling name, and nothing twice", () => {
  fc.assert(
    fc.property(snapshot, fc.array(step, { maxLength: 60 }), (first, steps) => {
      const world = new World(first);
      for (const one of steps) world.take(one);
      expect(world.settle(), "no endless exchange").toBe(true);
      expect(world.client.faults).toEqual([]);
      expect(differences(world)).toEqual([]);
    }),
    { numRuns: Number(process.env["KUMIKO_PROPERTY_RUNS"] ?? 2_000) },
  );
});

test("one change costs one refusal, or one for each suspect where the error names none", () => {
  fc.assert(
    fc.property(snapshot, snapshot, (first, second) => {
      const world = new World(first);
      world.settle();
      world.nacks = 0;
      world.take({ kind: "snapshot", snapshot: second });
      world.settle();
      const poisoned = [...second.values()]
        .flatMap((offer) => [...offer.values()])
        .filter(({ version: one }) => one.includes(POISON)).length;
      expect(world.nacks).toBeLessThanOrEqual(poisoned * 2);
    }),
    { numRuns: 500 },
  );
});

test("the snapshots of this test have no dangling references", () => {
  expect(fc.sample(snapshot, 200).flatMap(findDangling)).toEqual([]);
});
