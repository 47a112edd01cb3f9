import { describe, expect, test } from "vitest";
import type { ResourceType } from "../../translate/envoy/resource.ts";
import type { DeltaRequest, SotwRequest } from "./message.ts";
import { SENDING_ORDER, type Offered, type Offers, type Reference } from "./offer.ts";
import { StreamState } from "./order.ts";
import { findDangling } from "./reference.ts";

const to = (...names: string[]): Reference[] =>
  names.map((name) => ({ type: name.split("/")[0] as ResourceType, name: name.split("/")[1] ?? "" }));

/** `"route/web@2": ["cluster/users"]`: a resource, its version, what it names. */
function offers(resources: Readonly<Record<string, readonly string[]>>): Offers {
  const byType = new Map<ResourceType, Map<string, Offered>>(SENDING_ORDER.map((type) => [type, new Map()]));
  for (const [key, references] of Object.entries(resources)) {
    const [, type, name = "", version = "1"] = /^(\w+)\/([^@]+)(?:@(.*))?$/.exec(key) ?? [];
    byType.get(type as ResourceType)?.set(name, { name, version, bytes: new Uint8Array(), references: to(...references) });
  }
  return byType;
}

/** A stream whose messages are told in short: `route +web -old`. */
class Talk {
  #nonce = 0;
  readonly state: StreamState;
  readonly #unanswered = new Map<ResourceType, string>();

  constructor(first: Offers, kind: "delta" | "sotw" = "delta", options?: { removes: boolean }) {
    this.state = new StreamState(kind, () => String(++this.#nonce), options);
    this.state.setOffers(first);
  }

  offer(next: Offers): string[] {
    this.state.setOffers(next);
    return this.read();
  }

  ask(type: ResourceType, subscribe: readonly string[] = [], more: Partial<DeltaRequest> = {}): string[] {
    this.state.receive({ kind: "delta", type, nonce: "", subscribe, unsubscribe: [], initialVersions: {}, ...more });
    return this.read();
  }

  ack(type: ResourceType): string[] {
    return this.ask(type, [], { nonce: this.#unanswered.get(type) ?? "none" });
  }

  nack(type: ResourceType, error: string): string[] {
    return this.ask(type, [], { nonce: this.#unanswered.get(type) ?? "none", error });
  }

  sotw(type: ResourceType, names: readonly string[], more: Partial<SotwRequest> = {}): string[] {
    this.state.receive({ kind: "sotw", type, nonce: "", names, version: "", ...more });
    return this.read();
  }

  /** Answers everything until nothing comes. */
  settle(): string[] {
    const all: string[] = [];
    for (let types = [...this.#unanswered.keys()]; types.length > 0; types = [...this.#unanswered.keys()]) {
      for (const type of types) {
        const nonce = this.#unanswered.get(type) ?? "";
        this.#unanswered.delete(type);
        all.push(...this.ask(type, [], { nonce }));
      }
    }
    return all;
  }

  read(): string[] {
    const said: string[] = [];
    for (let push = this.state.next(); push !== undefined; push = this.state.next()) {
      this.#unanswered.set(push.type, push.nonce);
      said.push([push.type, ...push.resources.map(({ name }) => `+${name}`), ...push.removed.map((name) => `-${name}`)].join(" "));
    }
    return said;
  }
}

const ALL = {
  "cluster/users": ["endpoint/users"],
  "endpoint/users": [],
  "extension/authz": [],
  "listener/web": ["route/web", "extension/authz"],
  "route/web": ["cluster/users"],
};

/** A client that holds ALL. */
function settled(): Talk {
  const talk = new Talk(offers(ALL));
  talk.ask("cluster");
  talk.ask("endpoint", ["users"]);
  talk.settle();
  talk.ask("listener");
  talk.ask("extension", ["authz"]);
  talk.ask("route", ["web"]);
  talk.settle();
  return talk;
}

describe("order", () => {
  test("listeners wait until clusters and endpoints are acknowledged, and endpoints don't wait for clusters", () => {
    const talk = new Talk(offers(ALL));
    expect(talk.ask("cluster")).toEqual(["cluster +users"]);
    expect(talk.ask("listener")).toEqual([]);
    expect(talk.ask("endpoint", ["users"])).toEqual(["endpoint +users"]);
    expect(talk.ack("cluster")).toEqual([]);
    expect(talk.ack("endpoint")).toEqual(["listener +web"]);
  });

  test("a new route goes after its policy and its cluster are acknowledged", () => {
    const talk = settled();
    const { "route/web": _old, "extension/authz": _policy, ...rest } = ALL;
    expect(
      talk.offer(
        offers({
          ...rest,
          "cluster/videos": ["endpoint/videos"],
          "endpoint/videos": [],
          "extension/authz@2": [],
          "route/web@2": ["cluster/videos"],
        }),
      ),
    ).toEqual(["cluster +videos", "extension +authz"]);
    expect(talk.ask("endpoint", ["videos"])).toEqual(["endpoint +videos"]);
    expect(talk.ack("cluster")).toEqual([]);
    expect(talk.ack("endpoint")).toEqual([]);
    expect(talk.ack("extension")).toEqual(["route +web"]);
  });

  test("a policy doesn't wait for a slow cluster that it doesn't name", () => {
    const talk = settled();
    expect(talk.offer(offers({ ...ALL, "cluster/slow": [], "extension/authz@2": [] }))).toEqual(["cluster +slow", "extension +authz"]);
  });

  test("a policy waits for the cluster that it names", () => {
    const talk = settled();
    expect(talk.offer(offers({ ...ALL, "cluster/checker": [], "extension/authz@2": ["cluster/checker"] }))).toEqual(["cluster +checker"]);
    expect(talk.ack("cluster")).toEqual(["extension +authz"]);
  });

  test("a cluster goes only after the route that named it has changed and that was acknowledged", () => {
    const talk = settled();
    const next = offers({
      "cluster/videos": ["endpoint/videos"],
      "endpoint/videos": [],
      "extension/authz": [],
      "listener/web": ALL["listener/web"],
      "route/web@2": ["cluster/videos"],
    });
    expect(talk.offer(next)).toEqual(["cluster +videos"]);
    expect(talk.ask("endpoint", ["videos"])).toEqual(["endpoint +videos"]);
    expect(talk.ack("cluster")).toEqual([]);
    expect(talk.ack("endpoint")).toEqual(["route +web"]);
    expect(talk.ack("route")).toEqual(["cluster -users"]);
  });

  test("a cluster stays as long as a refused route keeps the old one alive", () => {
    const talk = settled();
    talk.offer(
      offers({ "cluster/videos": [], "extension/authz": [], "listener/web": ALL["listener/web"], "route/web@2": ["cluster/videos"] }),
    );
    talk.ack("cluster");
    expect(talk.nack("route", "bad regex")).toEqual([]);
  });

  test("a listener's removal travels with the listeners that change", () => {
    const talk = settled();
    const { "listener/web": _old, ...rest } = ALL;
    expect(talk.offer(offers({ ...rest, "listener/other": ["route/web", "extension/authz"] }))).toEqual(["listener +other -web"]);
  });

  test("an unchanged world says nothing, neither on the stream nor after a reconnect", () => {
    const talk = settled();
    expect(talk.offer(offers(ALL))).toEqual([]);
    const again = new Talk(offers(ALL));
    expect(again.ask("cluster", [], { initialVersions: { users: "1" } })).toEqual([]);
    expect(again.ask("endpoint", ["users"], { initialVersions: { users: "1" } })).toEqual([]);
    expect(again.ask("listener", [], { initialVersions: { web: "1" } })).toEqual([]);
  });

  test("after a reconnect nothing is removed until the client has named all that it holds", () => {
    const talk = new Talk(offers({ "listener/web": ["route/web"], "route/web@2": [] }));
    expect(talk.ask("cluster", [], { initialVersions: { users: "1" } })).toEqual([]);
    expect(talk.ask("listener", [], { initialVersions: { web: "1" } })).toEqual([]);
    expect(talk.ask("route", ["web"], { initialVersions: { web: "1" } })).toEqual(["route +web"]);
    expect(talk.ack("route")).toEqual(["cluster -users"]);
  });

  test("the endpoints of a changed cluster follow it, unchanged as they are", () => {
    const talk = settled();
    expect(talk.offer(offers({ ...ALL, "cluster/users": [], "cluster/users@2": ["endpoint/users"] }))).toEqual([
      "cluster +users",
      "endpoint +users",
    ]);
  });

  test("an incomplete offer removes nothing", () => {
    const talk = new Talk(offers({}), "delta", { removes: false });
    expect(talk.ask("cluster", [], { initialVersions: { users: "1" } })).toEqual([]);
    expect(talk.ask("listener", [], { initialVersions: { web: "1" } })).toEqual([]);
    expect(talk.ask("endpoint", ["users"])).toEqual([]);
  });
});

describe("subscriptions", () => {
  const two = offers({ "cluster/a": [], "cluster/b": [], "endpoint/a": [], "endpoint/b": [] });

  test("a first request without names means all clusters, but no endpoints", () => {
    const talk = new Talk(two);
    expect(talk.ask("cluster")).toEqual(["cluster +a +b"]);
    expect(talk.ask("endpoint")).toEqual([]);
  });

  test("who asks for all and has none is told that there are none, once", () => {
    const talk = new Talk(offers({}));
    expect(talk.ask("cluster")).toEqual(["cluster"]);
    expect(talk.ack("cluster")).toEqual([]);
    expect(talk.ask("listener")).toEqual(["listener"]);
    expect(talk.ack("listener")).toEqual([]);
    expect(talk.ask("extension", ["*"])).toEqual(["extension"]);
    expect(talk.ask("endpoint")).toEqual([]);
  });

  test("a star means all, and can be taken back; a name beside it stays", () => {
    const talk = new Talk(two);
    expect(talk.ask("cluster", ["*", "a"])).toEqual(["cluster +a +b"]);
    talk.ack("cluster");
    expect(talk.ask("cluster", [], { unsubscribe: ["*"] })).toEqual([]);
    expect(talk.offer(offers({ "cluster/a@2": [], "cluster/b@2": [] }))).toEqual(["cluster +a"]);
  });

  test("a name that doesn't exist is answered as removed, once; when it comes, it is sent", () => {
    const talk = new Talk(two);
    expect(talk.ask("endpoint", ["a", "c"])).toEqual(["endpoint +a -c"]);
    talk.ack("endpoint");
    expect(talk.offer(offers({ "endpoint/a": [] }))).toEqual([]);
    expect(talk.offer(offers({ "endpoint/a": [], "endpoint/c": [] }))).toEqual(["endpoint +c"]);
  });

  test("a name that is asked for again is sent again", () => {
    const talk = new Talk(two);
    talk.ask("endpoint", ["a"]);
    talk.ack("endpoint");
    expect(talk.ask("endpoint", ["a"])).toEqual(["endpoint +a"]);
  });

  test("a name that is given up is not pushed", () => {
    const talk = new Talk(two);
    talk.ask("endpoint", ["a", "b"]);
    talk.ack("endpoint");
    talk.ask("endpoint", [], { unsubscribe: ["a"] });
    expect(talk.offer(offers({ "endpoint/a@2": [], "endpoint/b@2": [] }))).toEqual(["endpoint +b"]);
  });

  test("one unanswered message a type; the newest offer follows the answer", () => {
    const talk = new Talk(two);
    talk.ask("endpoint", ["a"]);
    expect(talk.offer(offers({ "endpoint/a@2": [] }))).toEqual([]);
    expect(talk.offer(offers({ "endpoint/a@3": [] }))).toEqual([]);
    expect(talk.ask("endpoint", [], { nonce: "of another time" })).toEqual([]);
    expect(talk.ack("endpoint")).toEqual(["endpoint +a"]);
    expect([...talk.state.subscriptions()][0]?.inFlight?.resources[0]?.version).toBe("3");
  });
});

describe("refusals", () => {
  test("a named one is left out, the others are sent again, and the bad version never returns", () => {
    const talk = new Talk(offers({ "listener/a": [], "listener/b": [] }));
    talk.ask("listener");
    expect(talk.nack("listener", "Error adding/updating listener(s) b: no\n")).toEqual(["listener +a"]);
    expect(talk.ack("listener")).toEqual([]);
    expect(talk.offer(offers({ "listener/a@2": [], "listener/b": [] }))).toEqual(["listener +a"]);
    talk.ack("listener");
    expect(talk.offer(offers({ "listener/a@2": [], "listener/b@2": [] }))).toEqual(["listener +b"]);
  });

  test("where none of several is named, they go one by one, and only the bad one stays behind", () => {
    const talk = new Talk(offers({ "route/a": [], "route/b": [], "route/c": [] }));
    talk.ask("route", ["a", "b", "c"]);
    expect(talk.nack("route", "bad regex")).toEqual(["route +a"]);
    expect(talk.ack("route")).toEqual(["route +b"]);
    expect(talk.nack("route", "bad regex")).toEqual(["route +c"]);
    expect(talk.ack("route")).toEqual([]);
  });

  test("what came with a refused one and is gone now is removed: Envoy may have applied it", () => {
    const talk = new Talk(offers({ "listener/a": [], "listener/b": [] }));
    talk.ask("listener");
    talk.state.setOffers(offers({}));
    expect(talk.nack("listener", "Error adding/updating listener(s) b: no\n")).toEqual(["listener -a"]);
  });
});

describe("state of the world", () => {
  test("clusters always come whole, and a client that comes back with the version gets nothing", () => {
    const talk = new Talk(offers({ "cluster/a": [], "cluster/b": [] }), "sotw");
    expect(talk.sotw("cluster", [])).toEqual(["cluster +a +b"]);
    const push = [...talk.state.subscriptions()][0]?.inFlight;
    talk.sotw("cluster", [], { nonce: push?.nonce ?? "", version: push?.version ?? "" });
    expect(talk.offer(offers({ "cluster/a@2": [], "cluster/b": [] }))).toEqual(["cluster +a +b"]);
    const again = new Talk(offers({ "cluster/b": [], "cluster/a": [] }), "sotw");
    expect(again.sotw("cluster", [], { version: push?.version ?? "" })).toEqual([]);
  });

  test("endpoints come as they change; those that are gone need no message", () => {
    const talk = new Talk(offers({ "endpoint/a": [], "endpoint/b": [] }), "sotw");
    expect(talk.sotw("endpoint", ["a", "b"])).toEqual(["endpoint +a +b"]);
    const push = [...talk.state.subscriptions()][0]?.inFlight;
    talk.sotw("endpoint", ["a", "b"], { nonce: push?.nonce ?? "" });
    expect(talk.offer(offers({ "endpoint/b@2": [] }))).toEqual(["endpoint +b"]);
  });
});

describe("dangling names", () => {
  test.each([
    { title: "none", given: ALL, dangling: [] },
    { title: "a route to no cluster", given: { "route/web": ["cluster/none"] }, dangling: ["route/web → cluster/none"] },
    { title: "a cluster without endpoints", given: { "cluster/a": ["endpoint/a"] }, dangling: ["cluster/a → endpoint/a"] },
    {
      title: "not a secret, which the agent makes or a user has yet to declare",
      given: { "cluster/a": ["secret/default"], "listener/a": ["secret/mine"] },
      dangling: [],
    },
  ])("$title", ({ given, dangling }) => {
    expect(findDangling(offers(given)).map(({ from, to: target }) => `${from.type}/${from.name} → ${target.type}/${target.name}`)).toEqual(
      dangling,
    );
  });
});
