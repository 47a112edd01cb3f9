import type { Outcome, ProxyLogLine, ResponseOutcome } from "../../evaluate/index.ts";
import { beforeAll, describe, expect, test } from "vitest";
import { formatRef } from "../../model/resource.ts";
import { loadMeshTests } from "../../testing/load-mesh-test.ts";
import { arrival, connection, inbound, outbound, response, shop, WEB, WEB_ID } from "../../testing/lab-exchange.ts";
import { TestIssuers } from "../issuers.ts";
import { pathOf } from "../result.ts";
import { TestMesh } from "../test-mesh.ts";
import type { Arrival, ClientOrder, ClientReport } from "./exchange.ts";
import type { Sender } from "./lab.ts";
import { toDecision } from "./to-decision.ts";

const TEST = `apiVersion: kumiko.dev/v1alpha1
kind: MeshTest
metadata: {name: t, namespace: shop}
spec:
  workloads:
    - {name: web, labels: {app: web}, serviceAccount: web, ports: [8080]}
    - {name: cart, labels: {app: cart}, serviceAccount: cart, ports: [8080, 9090]}
    - {name: copy, labels: {app: copy}, ports: [8080]}
    - {name: edge, labels: {app: edge}, ports: [8443]}
  calls:
    - {from: {workload: web}, request: {url: "http://cart:8080/", token: {issuer: https://issuer.example.com}}, expect: {status: 200}}
---
apiVersion: v1
kind: Service
metadata: {name: cart}
spec: {selector: {app: cart}, ports: [{name: http, port: 8080}, {name: tcp, port: 9090}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart}
spec:
  hosts: [cart]
  http:
    - match: [{uri: {exact: /old}}]
      redirect: {uri: /new}
    - match: [{uri: {prefix: /a}}]
      route: [{destination: {host: cart}}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec: {selector: {app: edge}, servers: [{port: {number: 8443, name: https, protocol: HTTPS}, hosts: ["*"], tls: {mode: SIMPLE, credentialName: c}}]}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict}
spec: {selector: {matchLabels: {app: cart}}, mtls: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens}
spec: {selector: {matchLabels: {app: cart}}, jwtRules: [{issuer: https://issuer.example.com}, {issuer: https://other.example.com}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: readers}
spec: {selector: {matchLabels: {app: cart}}, rules: [{to: [{operation: {methods: [GET]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-admin}
spec: {selector: {matchLabels: {app: cart}}, action: DENY, rules: [{to: [{operation: {paths: [/admin]}}]}]}
`;

let mesh: TestMesh;
let call: Parameters<typeof toDecision>[0]["call"];

beforeAll(async () => {
  const [file] = await loadMeshTests({ "t.yaml": TEST });
  const loaded = file!.tests[0]!;
  mesh = new TestMesh(loaded, new TestIssuers());
  call = loaded.test.calls[0]!;
});

interface Seen {
  readonly reports: readonly ClientReport[];
  readonly arrivals?: readonly Arrival[];
  readonly log?: readonly ProxyLogLine[];
  readonly sender?: Sender;
  readonly order?: Partial<ClientOrder>;
}

function decide({ reports, arrivals = [], log = [], sender = WEB, order = {} }: Seen) {
  const orders = [{ destination: { address: "10.0.0.1", port: 1 }, ...order } as ClientOrder];
  return toDecision({ call, sender, orders, exchange: { reports, arrivals, log }, mesh });
}

function only(seen: Seen): Outcome {
  const { outcomes } = decide(seen);
  expect(outcomes).toHaveLength(1);
  return outcomes[0]!.outcome;
}

const becauseOf = ({ because }: Outcome) => [
  ...new Set(because.map((reason) => (typeof reason === "string" ? reason : formatRef(reason.ref)))),
];

describe("an answer of the application", () => {
  test("is told with who got what, who called, and which proxies it passed", () => {
    const outcome = only({ reports: [response(200)], arrivals: [arrival()], log: [outbound(), inbound()] }) as ResponseOutcome;
    expect(outcome).toMatchObject({
      kind: "response",
      status: 200,
      by: "application",
      to: shop("cart"),
      attempts: 1,
      because: [],
      body: "b",
    });
    expect(outcome.received).toMatchObject({
      method: "GET",
      path: "/a",
      authority: "cart:8080",
      protocol: "http1",
      principal: WEB_ID,
      tls: false,
    });
    expect(outcome.received?.headers).toEqual([["x-request-id", "1"]]);
    expect(outcome.via).toEqual([shop("web"), shop("cart")]);
    expect(outcome.delayMs).toBe(7);
  });

  test("after tries that failed counts them, and is no answer of a proxy", () => {
    const log = [outbound(), inbound({ status: 403, details: "rbac_access_denied_matched_policy[none]" }), inbound()];
    const outcome = only({ reports: [response(200)], arrivals: [arrival(), arrival()], log });
    expect(outcome).toMatchObject({ by: "application", attempts: 2, because: [] });
  });

  test("leaves copies out, and says who got one", () => {
    const copied = arrival({ at: "shop/copy" }, { authority: "cart-shadow:8080" });
    const log = [outbound(), inbound(), inbound({ workload: shop("copy") })];
    const outcome = only({ reports: [response(200)], arrivals: [copied, arrival()], log }) as ResponseOutcome;
    expect(outcome).toMatchObject({ to: shop("cart"), attempts: 1, mirroredTo: [{ target: shop("copy") }] });
    expect(outcome.via).toEqual([shop("web"), shop("cart")]);
  });

  test("is no answer of the proxy whose codec could not read a copy", () => {
    const { requestId: _, ...unread } = inbound({ workload: shop("copy"), status: 400, details: "http1.codec_error" });
    const log = [outbound({ status: 418 }), inbound({ status: 418 }), unread];
    const outcome = only({ reports: [response(418)], arrivals: [arrival()], log });
    expect(outcome).toMatchObject({ by: "application", to: shop("cart"), attempts: 1, status: 418 });
  });

  test("of gRPC has the status of its trailers by name", () => {
    const report = response(200, { trailers: [["grpc-status", "14"]] });
    expect(only({ reports: [report], arrivals: [arrival()], log: [outbound(), inbound()] })).toMatchObject({ grpcStatus: "UNAVAILABLE" });
  });

  test("to a WebSocket stays one, though the client ended it", () => {
    const log = [
      outbound({ status: 101, details: "downstream_remote_disconnect" }),
      inbound({ status: 101, details: "downstream_remote_disconnect" }),
    ];
    expect(only({ reports: [response(101)], arrivals: [arrival()], log })).toMatchObject({ by: "application", to: shop("cart") });
  });

  test("that came too late is the proxy's own", () => {
    const log = [
      outbound({ status: 504, details: "response_timeout", flags: "UT" }),
      inbound({ status: 0, details: "downstream_remote_disconnect" }),
    ];
    const outcome = only({ reports: [response(504)], arrivals: [arrival()], log });
    expect(outcome).toMatchObject({ by: "proxy", attempts: 1 });
    expect(becauseOf(outcome)).toEqual(["VirtualService/shop/cart"]);
  });
});

describe("an answer of a proxy is because of", () => {
  const NO_ROUTE = {
    virtualHost: undefined,
    route: undefined,
    cluster: undefined,
    upstreamHost: undefined,
  } as unknown as Partial<ProxyLogLine>;
  test.each<{
    readonly title: string;
    readonly status: number;
    readonly log: () => readonly ProxyLogLine[];
    readonly because: readonly string[];
  }>([
    {
      title: "the DENY that matched",
      status: 403,
      log: () => [
        outbound({ status: 403 }),
        inbound({ status: 403, details: "rbac_access_denied_matched_policy[ns[shop]-policy[no-admin]-rule[0]]" }),
      ],
      because: ["AuthorizationPolicy/shop/no-admin"],
    },
    {
      title: "the ALLOW policies of the workload, where none matched",
      status: 403,
      log: () => [outbound({ status: 403 }), inbound({ status: 403, details: "rbac_access_denied_matched_policy[none]" })],
      because: ["AuthorizationPolicy/shop/readers"],
    },
    {
      title: "the profile, where no policy of the workload said anything",
      status: 403,
      log: () => [
        outbound({ status: 403 }),
        inbound({ workload: shop("copy"), status: 403, details: "rbac_access_denied_matched_policy[none]" }),
      ],
      because: ["Profile/zero-trust"],
    },
    {
      title: "the rule of the token's issuer",
      status: 401,
      log: () => [outbound({ status: 401 }), inbound({ status: 401, details: "jwt_authn_access_denied{Jwt_is_expired}" })],
      because: ["RequestAuthentication/shop/tokens"],
    },
    {
      title: "the VirtualService whose route redirects",
      status: 301,
      log: () => [outbound({ status: 301, details: "direct_response", route: "route/8080 virtualHosts[0].routes[0]" })],
      because: ["VirtualService/shop/cart"],
    },
    {
      title: "the VirtualService none of whose routes matched",
      status: 404,
      log: () => [outbound({ status: 404, details: "route_not_found", flags: "NR", ...NO_ROUTE })],
      because: ["VirtualService/shop/cart", "Service/shop/cart"],
    },
    {
      title: "what opened the port, where no virtual host is of that name",
      status: 404,
      log: () => [outbound({ status: 404, details: "route_not_found", flags: "NR", ...NO_ROUTE, authority: "nobody" })],
      because: ["Service/shop/cart"],
    },
    {
      title: "the route whose cluster has no endpoint",
      status: 503,
      log: () => [outbound({ status: 503, details: "no_healthy_upstream", flags: "UH" })],
      because: ["VirtualService/shop/cart"],
    },
    {
      title: "nobody but the request, where the request itself was wrong",
      status: 400,
      log: () => [outbound({ status: 400, details: "http1.codec_error", ...NO_ROUTE })],
      because: [],
    },
    {
      title: "nobody but the request, where its headers were too large for the codec of HTTP/2",
      status: 400,
      log: () => [outbound({ status: 0, details: "codec_error:The_user_callback_function_failed", flags: "DPE", ...NO_ROUTE })],
      because: [],
    },
    {
      title: "the PeerAuthentication of the next proxy, which closed the connection",
      status: 503,
      log: () => [
        outbound({ status: 503, details: "upstream_reset_before_response_started{connection_termination}", flags: "UC" }),
        connection({ flags: "NR", details: "filter_chain_not_found" }),
      ],
      because: ["PeerAuthentication/shop/strict"],
    },
  ])("$title", ({ status, log, because }) => {
    const outcome = only({ reports: [response(status)], log: log() });
    expect(outcome).toMatchObject({ kind: "response", status, by: "proxy", attempts: 0 });
    expect(becauseOf(outcome)).toEqual(because);
  });
});

describe("a connection", () => {
  test("that carries bytes is open, to whom they came", () => {
    const log = [connection({ workload: shop("web"), direction: "outbound" }), connection({ peerPrincipal: WEB_ID })];
    const bytes: Arrival = { at: "shop/cart", port: 9090, peerAddress: "", tls: false, bytes: "hello" };
    expect(only({ reports: [{ kind: "open", received: "hello", elapsedMs: 3 }], arrivals: [bytes], log })).toMatchObject({
      ...{ kind: "open", to: shop("cart"), tls: false, principal: WEB_ID, because: [] },
    });
  });

  test("that a policy closed is because of it", () => {
    const log = [
      connection({ workload: shop("web"), direction: "outbound", listener: "0.0.0.0_9090" }),
      connection({ terminationDetails: "rbac_access_denied_matched_policy[none]" }),
    ];
    const outcome = only({ reports: [{ kind: "closed", detail: "", elapsedMs: 3 }], log });
    expect(outcome.kind).toBe("closed");
    expect(becauseOf(outcome)).toEqual(["AuthorizationPolicy/shop/readers"]);
  });

  test("without mutual TLS is closed by the PeerAuthentication, also where nothing was logged", () => {
    const address = mesh.workload(shop("cart"))?.address ?? "";
    const log = [connection({ transportFailure: "TLS_error:|268435612:SSL routines:OPENSSL_internal:HTTP_REQUEST", peerPrincipal: "" })];
    const seen = {
      reports: [{ kind: "tls", detail: "", elapsedMs: 3 }],
      sender: "outside",
      order: { destination: { address, port: 8080 } },
    } as const;
    for (const outcome of [only({ ...seen, log }), only(seen)]) {
      expect(outcome.kind).toBe("closed");
      expect(becauseOf(outcome)).toEqual(["PeerAuthentication/shop/strict"]);
    }
  });

  test.each([
    { title: "TLS", detail: "tls", failure: {} },
    {
      title: "bytes over which the TLS inspector stumbled",
      detail: "closed",
      failure: { transportFailure: "TLS_error|WRONG_VERSION_NUMBER" },
    },
  ] as const)("$title that the application ends was let in, and is nobody's decision", ({ detail, failure }) => {
    const address = mesh.workload(shop("cart"))?.address ?? "";
    const outcome = only({
      reports: [{ kind: detail, detail: "", elapsedMs: 3 }],
      sender: "outside",
      order: { destination: { address, port: 8080 } },
      log: [connection({ ...failure, of: "tcp", peerPrincipal: "", upstreamHost: `${address}:8080` })],
    });
    expect(outcome.kind).toBe("closed");
    expect(becauseOf(outcome)).toEqual([]);
  });

  test("that a gateway refuses is because of the Gateway that opened the port", () => {
    const address = mesh.workload(shop("edge"))?.address ?? "";
    const outcome = only({
      reports: [{ kind: "closed", detail: "", elapsedMs: 3 }],
      sender: "outside",
      order: { destination: { address, port: 8443 } },
    });
    expect(becauseOf(outcome)).toEqual(["Gateway/shop/edge"]);
  });

  test("to which nobody answers in time is no decision", () => {
    expect(() => only({ reports: [{ kind: "timeout", detail: "", elapsedMs: 30_000 }] })).toThrow("there was no answer within 30 s");
  });
});

test("the path that is printed tells each proxy's steps with the line of the file that decided", () => {
  const details = "rbac_access_denied_matched_policy[ns[shop]-policy[no-admin]-rule[0]]";
  const outcome = only({ reports: [response(403)], log: [outbound({ status: 403 }), inbound({ status: 403, details })] });
  const line = TEST.slice(0, TEST.indexOf("paths: [/admin]")).split("\n").length;
  const decision = pathOf(outcome, mesh).find(({ what }) => what === "decision");
  expect(decision).toEqual({
    ...{
      proxy: "shop/cart",
      what: "decision",
      detail: "403 denied by ns[shop]-policy[no-admin]-rule[0]",
      resource: "AuthorizationPolicy/shop/no-admin",
    },
    ...{ generated: 'extension/kumiko.inbound.authz-deny rules.policies["ns[shop]-policy[no-admin]-rule[0]"]', at: `t.yaml:${line}` },
  });
  expect(pathOf(outcome, mesh).map(({ proxy, what }) => `${proxy} ${what}`)).toEqual([
    ...["shop/web listener", "shop/web filter chain", "shop/web route", "shop/web cluster", "shop/web endpoint", "shop/web answer"],
    ...["shop/cart listener", "shop/cart tls", "shop/cart cluster", "shop/cart decision"],
  ]);
});
