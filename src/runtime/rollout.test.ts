import { describe, expect, test } from "vitest";
import { captureOf, toDesiredWorkload } from "./deployment.ts";
import type { DeclaredResource } from "./resources.ts";
import { planRollout, type RunningPod } from "./rollout.ts";

const declare = (
  kind: "Deployment" | "StatefulSet",
  over: { replicas?: number; image?: string; policy?: string } = {},
): DeclaredResource => ({
  kind,
  metadata: { name: "users", namespace: "shop", labels: {}, annotations: {} },
  body: {
    spec: {
      replicas: over.replicas,
      podManagementPolicy: over.policy,
      template: {
        metadata: { labels: { app: "users" } },
        spec: { serviceAccountName: "users", containers: [{ name: "app", image: over.image ?? "users:1" }] },
      },
    },
  },
});

const desire = (...given: Parameters<typeof declare>) => {
  const desired = toDesiredWorkload(declare(...given));
  if (desired === undefined) throw new Error("not desired");
  return desired;
};

const run = (desired: ReturnType<typeof desire>, index: number, over: Partial<RunningPod> = {}): RunningPod => ({
  name: desired.pod(index).name,
  revision: desired.revision,
  ready: true,
  stopping: false,
  ...over,
});

describe("toDesiredWorkload", () => {
  test("pods of a Deployment are named and labelled as in Kubernetes, the same each time", () => {
    const [pod, again] = [desire("Deployment").pod(0), desire("Deployment").pod(0)];
    expect(pod.name).toMatch(/^users-[bcdfghjklmnpqrstvwxz2456789]{10}-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    expect(pod).toEqual(again);
    expect(pod.labels).toEqual({ app: "users", "pod-template-hash": pod.revision });
    expect(desire("Deployment", { replicas: 3 }).revision).toBe(pod.revision);
    expect(desire("Deployment", { image: "users:2" }).revision).not.toBe(pod.revision);
  });

  test.each([47, 58, 253])("pods of a Deployment whose name has %i characters are told apart, and their names are labels", (length) => {
    const { kind, metadata, body } = declare("Deployment");
    const long = toDesiredWorkload({ kind, metadata: { ...metadata, name: "u".repeat(length) }, body });
    const names = [0, 1].map((index) => long?.pod(index).name ?? "");
    expect(names.map((name) => name.length)).toEqual([63, 63]);
    expect(new Set(names).size).toBe(2);
  });

  test("pods of a StatefulSet are numbered", () => {
    expect(desire("StatefulSet").pod(1)).toMatchObject({ name: "users-1", labels: { "apps.kubernetes.io/pod-index": "1" } });
  });

  test.each([
    [{ istio: "ingressgateway" }, {}, "gateway"],
    [{}, { "inject.istio.io/templates": "gateway" }, "gateway"],
    [{ "sidecar.istio.io/inject": "false" }, {}, "none"],
    [{}, {}, "sidecar"],
  ] as const)("labels %j and annotations %j make it %s", (labels, annotations, capture) => {
    expect(captureOf(labels, annotations)).toBe(capture);
  });

  test.each([
    [undefined, 1],
    [-4, 0],
    [1_000_000, 200],
  ])("replicas %s count as %i", (replicas, expected) => {
    expect(desire("Deployment", replicas === undefined ? {} : { replicas }).replicas).toBe(expected);
  });
});

describe("planRollout of a Deployment", () => {
  test("all replicas start at once where nothing runs", () => {
    expect(planRollout(desire("Deployment", { replicas: 3 }), []).start).toHaveLength(3);
  });

  test("a changed template starts one new pod, and ends no ready one before that is ready", () => {
    const [old, next] = [desire("Deployment", { replicas: 2 }), desire("Deployment", { replicas: 2, image: "users:2" })];
    const running = [run(old, 0), run(old, 1)];
    const first = planRollout(next, running);
    expect(first.start).toHaveLength(1);
    expect(first.stop).toEqual([]);
    const surging = [...running, run(next, 0, { ready: false })];
    expect(planRollout(next, surging)).toEqual({ start: [], stop: [] });
    expect(planRollout(next, [...running, run(next, 0)]).stop).toHaveLength(1);
  });

  test("an old pod that isn't ready ends at once", () => {
    const [old, next] = [desire("Deployment"), desire("Deployment", { image: "users:2" })];
    expect(planRollout(next, [run(old, 0, { ready: false })]).stop).toEqual([old.pod(0).name]);
  });

  test("at every step of a rollout as many pods are ready as before, and it ends with the new ones alone", () => {
    const [old, next] = [desire("Deployment", { replicas: 5 }), desire("Deployment", { replicas: 5, image: "users:2" })];
    let running = [0, 1, 2, 3, 4].map((index) => run(old, index));
    for (let steps = 0; steps < 50; steps++) {
      const step = planRollout(next, running);
      if (step.start.length + step.stop.length === 0 && running.every(({ ready }) => ready)) break;
      running = running.filter(({ name }) => !step.stop.includes(name)).map((pod) => ({ ...pod, ready: true }));
      expect(running.filter(({ ready }) => ready).length).toBeGreaterThanOrEqual(5);
      running.push(...step.start.map((pod) => ({ name: pod.name, revision: pod.revision, ready: false, stopping: false })));
      expect(running.length).toBeLessThanOrEqual(7);
    }
    expect(running.map(({ revision }) => revision)).toEqual(Array<string>(5).fill(next.revision));
  });

  test("scaling down ends what isn't ready first; a name on its way out is not taken", () => {
    const one = desire("Deployment", { replicas: 1 });
    expect(planRollout(one, [run(one, 0), run(one, 1, { ready: false })]).stop).toEqual([one.pod(1).name]);
    expect(planRollout(one, [run(one, 0, { stopping: true })]).start.map(({ name }) => name)).toEqual([one.pod(1).name]);
  });
});

describe("planRollout of a StatefulSet", () => {
  test("starts one after another, or all at once with podManagementPolicy Parallel", () => {
    const ordered = desire("StatefulSet", { replicas: 3 });
    expect(planRollout(ordered, []).start.map(({ name }) => name)).toEqual(["users-0"]);
    expect(planRollout(ordered, [run(ordered, 0, { ready: false })]).start).toEqual([]);
    expect(planRollout(ordered, [run(ordered, 0)]).start.map(({ name }) => name)).toEqual(["users-1"]);
    expect(planRollout(desire("StatefulSet", { replicas: 3, policy: "Parallel" }), []).start).toHaveLength(3);
  });

  test("a changed template replaces the last pod first, and waits while one isn't ready", () => {
    const [old, next] = [desire("StatefulSet", { replicas: 2 }), desire("StatefulSet", { replicas: 2, image: "users:2" })];
    expect(planRollout(next, [run(old, 0), run(old, 1)]).stop).toEqual(["users-1"]);
    expect(planRollout(next, [run(old, 0), run(next, 1, { ready: false })]).stop).toEqual([]);
    expect(planRollout(next, [run(old, 0), run(next, 1)]).stop).toEqual(["users-0"]);
    expect(planRollout(next, [run(old, 0), run(old, 1, { stopping: true })])).toEqual({ start: [], stop: [] });
  });
});
