import { describe, expect, test } from "vitest";
import { MeshError } from "../../model/error.ts";
import { arrival, inbound, outbound, response, shop } from "../../testing/lab-exchange.ts";
import { loadMeshTests } from "../../testing/load-mesh-test.ts";
import { exitCodeOf } from "../result.ts";
import { type RunOptions, runTests } from "../run.ts";
import type { ClientOrder, Exchange } from "./exchange.ts";
import type { Lab, LabMesh, RunningMesh, Sender } from "./lab.ts";

const mesh = (calls: string, documents = "") => `apiVersion: kumiko.dev/v1alpha1
kind: MeshTest
metadata: {name: t, namespace: shop}
spec:
  workloads:
    - {name: web, labels: {app: web}, ports: [8080]}
    - {name: cart, labels: {app: cart}, ports: [8080]}
    - {name: idle, labels: {app: idle}, ports: [8080]}
  calls: [${calls}]
---
apiVersion: v1
kind: Service
metadata: {name: cart}
spec: {selector: {app: cart}, ports: [{name: http, port: 8080}]}
${documents}`;
const callTo = (path: string, expected = "{status: 200}", more = "") =>
  `{name: "${path}", from: {workload: web}, request: {url: "http://cart:8080${path}"${more}}, expect: ${expected}}`;

/** Requests to `cart` are copied to `copy`, whose proxy asks `idle` about them. */
const COPIED = `---
apiVersion: v1
kind: Service
metadata: {name: copy}
spec: {selector: {app: copy}, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: idle}
spec: {selector: {app: idle}, ports: [{name: http, port: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart}
spec: {hosts: [cart], http: [{route: [{destination: {host: cart}}], mirror: {host: copy}}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "extensionProviders: [{name: by-http, envoyExtAuthzHttp: {service: idle.shop.svc.cluster.local, port: 8080}}]"}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: copy}
spec: {selector: {matchLabels: {app: copy}}, action: CUSTOM, provider: {name: by-http}, rules: [{}]}
`;

interface Played {
  readonly lab: Lab;
  readonly opened: LabMesh[];
  readonly sent: (readonly [mesh: number, path: string, sender: Sender])[];
  readonly closed: number[];
  readonly mostAtOnce: () => number;
}

/** A lab whose applications answer everything with 200, or with what the path says. */
function fakeLab(open: (mesh: LabMesh) => void = () => {}): Played {
  const opened: LabMesh[] = [];
  const sent: (readonly [number, string, Sender])[] = [];
  const closed: number[] = [];
  let [running, most] = [0, 0];
  const lab: Lab = {
    async open(wanted) {
      open(wanted);
      const number = opened.push(wanted) - 1;
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      const started: RunningMesh = {
        async exchange(sender, orders) {
          for (const { path } of orders) sent.push([number, path, sender]);
          await new Promise((resolve) => setImmediate(resolve));
          return exchangeOf(orders);
        },
        update: () => Promise.reject(new Error("not asked for")),
        async close() {
          running--;
          closed.push(number);
        },
      };
      return started;
    },
    close: () => Promise.resolve(),
  };
  return { lab, opened, sent, closed, mostAtOnce: () => most };
}

function exchangeOf(orders: readonly ClientOrder[]): Exchange {
  return {
    reports: orders.map(({ path }) => ({
      ...{ kind: "response", status: Number(/^\/(\d{3})$/.exec(path)?.[1] ?? 200), headers: [], trailers: [], body: "", elapsedMs: 1 },
    })),
    arrivals: orders.map(({ path, method, authority, headers, body }) => ({
      ...{ at: "shop/cart", port: 8080, peerAddress: "", tls: false },
      request: { protocol: "http1", method, authority, path, headers, body },
    })),
    log: [],
  };
}

async function runReal(files: Readonly<Record<string, string>>, lab: Lab, over: Partial<RunOptions> = {}) {
  return await runTests(await loadMeshTests(files), { nowMs: Date.now(), engine: "real", lab, ...over });
}

describe("the real engine", () => {
  test("judges what came back, call by call, in order", async () => {
    const { lab, sent, closed } = fakeLab();
    const run = await runReal({ "t.yaml": mesh([callTo("/a"), callTo("/503"), callTo("/c")].join(", ")) }, lab);
    expect(run.calls.map(({ name, verdict, engine, reason }) => [name, verdict, engine, reason])).toEqual([
      ["/a", "pass", "real", ""],
      ["/503", "fail", "real", "status: expected 200, got 503"],
      ["/c", "pass", "real", ""],
    ]);
    expect(sent.map(([, path]) => path)).toEqual(["/a", "/503", "/c"]);
    expect(closed).toEqual([0]);
  });

  test("starts only what the calls can touch", async () => {
    const { lab, opened } = fakeLab();
    await runReal({ "t.yaml": mesh(callTo("/a")) }, lab);
    expect(
      opened[0]?.pods.map(({ workload: { name }, role, ports }) => [name, role, ports.map(({ port, as }) => `${as}:${port}`)]),
    ).toEqual([
      ["web", "sidecar", ["shop/web:8080"]],
      ["cart", "sidecar", ["shop/cart:8080"]],
    ]);
  });

  test("skips a client with an IPv6 address, which the lab can't have, and says so", async () => {
    const { lab, opened, sent } = fakeLab();
    const call = '{name: six, from: {outside: cart, clientIp: "2001:db8::1"}, request: {url: "http://cart:8080/"}, expect: {status: 200}}';
    const run = await runReal({ "t.yaml": mesh(`${call}, ${callTo("/a")}`) }, lab);
    expect(run.calls.map(({ verdict, reason }) => [verdict, reason])).toEqual([
      ["skip", "undecided at the network of the lab, which has no IPv6"],
      ["pass", ""],
    ]);
    expect([opened[0]?.clients, sent.length]).toEqual([[], 1]);
  });

  test("starts one mesh for all tests whose meshes are equal, and another for each that differs", async () => {
    const { lab, opened, sent } = fakeLab();
    const other = mesh(
      callTo("/other"),
      "---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: p}\nspec: {mtls: {mode: STRICT}}\n",
    );
    const run = await runReal({ "a.yaml": mesh(callTo("/a")), "b.yaml": mesh(callTo("/b")), "c.yaml": other }, lab);
    expect(run.totals.pass).toBe(3);
    expect(opened).toHaveLength(2);
    const meshOf = (wanted: string) => sent.find(([, path]) => path === wanted)?.[0];
    expect(meshOf("/a")).toBe(meshOf("/b"));
    expect(meshOf("/other")).not.toBe(meshOf("/a"));
  });

  test("keeps to the number of meshes at a time", async () => {
    const { lab, mostAtOnce } = fakeLab();
    const files = Array.from({ length: 6 }, (_, i) => [`${i}.yaml`, mesh(callTo("/a")).replaceAll("idle", `idle-${i}`)] as const);
    const run = await runReal(Object.fromEntries(files), lab, { atOnce: 2 });
    expect(run.totals.pass).toBe(6);
    expect(mostAtOnce()).toBe(2);
  });

  test("sends a request as often as it says, and counts who answered", async () => {
    const { lab, sent } = fakeLab();
    const run = await runReal({ "t.yaml": mesh(callTo("/a", '{to: {cart: "5..5"}}', ", repeat: 5")) }, lab);
    expect(run.totals).toMatchObject({ pass: 1, fail: 0 });
    expect(sent).toHaveLength(5);
  });

  test("says how many of several requests went wrong alike", async () => {
    const { lab } = fakeLab();
    const run = await runReal({ "t.yaml": mesh(callTo("/503", "{status: 200}", ", repeat: 4")) }, lab);
    expect(run.calls[0]?.reason).toBe("status: expected 200, got 503");
  });

  test("a mesh that can't be started is an error of its file, with the reason, and no other's", async () => {
    const { lab } = fakeLab(({ pods }) => {
      if (pods.length > 2) throw new MeshError("refused", "an Envoy refuses its listener", { help: "see the log" });
    });
    const bad = mesh(
      `${callTo("/a")}, ${callTo("/a").replace("cart:8080", "idle:8080")}`,
      "---\napiVersion: v1\nkind: Service\nmetadata: {name: idle}\nspec: {selector: {app: idle}, ports: [{name: http, port: 8080}]}\n",
    );
    const run = await runReal({ "a.yaml": bad, "b.yaml": mesh(callTo("/b")) }, lab);
    expect(run.errors).toEqual([
      {
        file: "a.yaml",
        line: 1,
        column: 1,
        message: "the mesh of test t can't be started: an Envoy refuses its listener",
        help: "see the log",
      },
    ]);
    expect(run.totals).toMatchObject({ pass: 1, fail: 0, errors: 1 });
    expect(exitCodeOf(run)).toBe(2);
  });

  test("waits for a copy also where its receiver's authorizer was asked about it", async () => {
    const { lab } = fakeLab();
    const about = { authority: "cart-shadow:8080" };
    const early: Exchange = {
      reports: [response(200)],
      arrivals: [arrival(), arrival({ at: "shop/idle" }, about)],
      log: [outbound({ route: "route/8080 virtualHosts[0].routes[0]" }), inbound(), inbound({ workload: shop("idle"), ...about })],
    };
    const late = { ...early, arrivals: [...early.arrivals, arrival({ at: "shop/copy" }, about)] };
    const wholes: unknown[] = [];
    const watching: Lab = {
      ...lab,
      async open(wanted) {
        const exchange: RunningMesh["exchange"] = async (...[, , , isWhole]) => {
          wholes.push(isWhole?.(early), isWhole?.(late));
          return late;
        };
        return { ...(await lab.open(wanted)), exchange };
      },
    };
    const copied = mesh(callTo("/a"), COPIED).replace("calls:", "  - {name: copy, labels: {app: copy}, ports: [8080]}\n  calls:");
    const run = await runReal({ "t.yaml": copied }, watching);
    expect([run.errors, run.totals.pass]).toEqual([[], 1]);
    expect(wholes).toEqual([false, true]);
  });

  test("a call of which nobody hears fails alone", async () => {
    const { lab } = fakeLab();
    const deaf: Lab = {
      ...lab,
      async open(wanted) {
        const running = await lab.open(wanted);
        return {
          ...running,
          exchange: (sender, orders, concurrency) =>
            orders[0]?.path === "/gone"
              ? Promise.reject(new MeshError("io", "the echo program has ended"))
              : running.exchange(sender, orders, concurrency),
        };
      },
    };
    const run = await runReal({ "t.yaml": mesh(`${callTo("/gone")}, ${callTo("/a")}`) }, deaf);
    expect(run.calls.map(({ verdict, reason }) => [verdict, reason])).toEqual([
      ["fail", "the real engine failed: the echo program has ended"],
      ["pass", ""],
    ]);
  });
});

describe("both engines", () => {
  test("pass where they agree, and fail where they don't, whatever was expected", async () => {
    const { lab } = fakeLab();
    const calls = [callTo("/a"), callTo("/503", "{status: 503}"), callTo("/504", "{status: 200}")].join(", ");
    const run = await runReal({ "t.yaml": mesh(calls) }, lab, { engine: "both" });
    expect(run.calls.map(({ verdict }) => verdict)).toEqual(["fail", "fail", "fail"]);
    // The fake proxies authenticate nobody: in this they differ from the evaluator.
    expect(run.calls[0]?.reason).toBe(
      "the engines disagree: received.principal: expected spiffe://cluster.local/ns/shop/sa/default (evaluator), got none (real)",
    );
    expect(run.calls[1]?.reason).toContain("status: expected 200 (evaluator), got 503 (real)");
  });

  test("coverage is what the evaluator's decisions reached", async () => {
    const route =
      "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: cart}\nspec: {hosts: [cart], http: [{route: [{destination: {host: cart}}]}]}\n";
    const run = await runReal({ "t.yaml": mesh(callTo("/a"), route) }, fakeLab().lab, { engine: "both", coverage: true });
    expect(run.coverage.percent).toBe(100);
  });
});
