import { drawTimeout, drawTryTimeout } from "./delay.ts";
import type { Draw } from "./draw.ts";

type Action = Readonly<Record<string, unknown>>;

const USERS = "users.shop.svc.cluster.local";

/** What a route does with what it matches. */
export function drawRouteAction(draw: Draw): Action {
  return draw.weighted<Action>([
    [52, () => ({ route: drawDestinations(draw), ...drawTreatment(draw) })],
    [4, () => ({ redirect: drawRedirect(draw) })],
    [
      4,
      () => ({
        directResponse: { status: draw.one([200, 201, 204, 404, 503]), ...draw.maybe(60, () => ({ body: { string: "said by a proxy" } })) },
      }),
    ],
    [2, () => ({ fault: drawAbort(draw), route: drawDestinations(draw) })],
  ]);
}

function drawDestinations(draw: Draw): readonly Action[] {
  const users = (subset?: string): Action => ({
    host: USERS,
    ...(subset && { subset }),
    ...draw.maybe(88, () => ({ port: { number: draw.one([80, 80, 80, 80, 81]) } })),
  });
  const only = (destination: Action) => [{ destination }];
  return draw.weighted<readonly Action[]>([
    [16, () => only(users())],
    [6, () => only(users(draw.one(["v1", "v2"])))],
    [1, () => only(users("v9"))],
    [3, () => weighted(draw, [users("v1"), users("v2")])],
    [1, () => weighted(draw, [users("v1"), { host: "orders" }])],
    [3, () => only({ host: "orders.shop.svc.cluster.local", ...draw.maybe(30, () => ({ port: { number: 80 } })) })],
    [1, () => only({ host: draw.one(["empty", "ghost.shop.svc.cluster.local"]), port: { number: 80 } })],
    [1, () => only({ host: "legacy.data.svc.cluster.local", port: { number: 80 } })],
    [1, () => only({ host: "store.data.svc.cluster.local", port: { number: draw.one([80, 5432]) } })],
    [1, () => only({ host: "api.example.com", port: { number: 80 } })],
  ]);
}

function weighted(draw: Draw, destinations: readonly Action[]): readonly Action[] {
  const first = draw.one([0, 10, 50, 100]);
  return destinations.map((destination, i) => ({
    destination,
    weight: i === 0 ? first : 100 - first,
    ...draw.maybe(20, () => ({ headers: { response: { add: { "x-way": `${i}` } } } })),
  }));
}

/** What else happens to a request that is sent on. */
function drawTreatment(draw: Draw): Action {
  return {
    ...draw.maybe(20, () => ({ rewrite: drawRewrite(draw) })),
    ...draw.maybe(20, () => ({ headers: drawHeaderChanges(draw) })),
    ...draw.maybe(25, () => ({ timeout: drawTimeout(draw) })),
    ...draw.maybe(12, () => ({ retries: drawRetries(draw) })),
    ...draw.maybe(6, () => ({
      mirror: { host: "orders.shop.svc.cluster.local", port: { number: 80 } },
      ...draw.maybe(30, () => ({ mirrorPercentage: { value: 50 } })),
    })),
    ...draw.maybe(8, () => ({ corsPolicy: drawCors(draw) })),
    ...draw.maybe(4, () => ({ fault: { delay: { fixedDelay: "0.05s", percentage: { value: draw.one([100, 50]) } } } })),
  };
}

function drawRewrite(draw: Draw): Action {
  return draw.weighted<Action>([
    [3, () => ({ uri: draw.one(["/", "/new", "/new/"]) })],
    [2, () => ({ authority: draw.one(["other.example.com", "Other.example.com:8080"]) })],
    [1, () => ({ uri: "/both", authority: "other.example.com" })],
    [
      2,
      () => ({
        uriRegexRewrite: draw.one([
          { match: "^/([^/]*)/(.*)$", rewrite: "/\\2/\\1" },
          { match: "/api", rewrite: "" },
          { match: "[0-9]+", rewrite: "N" },
        ]),
      }),
    ],
  ]);
}

function drawHeaderChanges(draw: Draw): Action {
  return {
    ...draw.maybe(70, () => ({
      request: {
        ...draw.maybe(50, () => ({ set: { "x-user": draw.one(["set", "%DOWNSTREAM_PROTOCOL%", "100%%"]) } })),
        ...draw.maybe(50, () => ({ add: { "x-added": "one" } })),
        ...draw.maybe(50, () => ({ remove: [draw.one(["x-version", "X-User", "cookie"])] })),
      },
    })),
    ...draw.maybe(60, () => ({
      response: {
        ...draw.maybe(50, () => ({ set: { "x-back": "set" } })),
        ...draw.maybe(50, () => ({ add: { "x-back": "added" } })),
        ...draw.maybe(30, () => ({ remove: ["content-type"] })),
      },
    })),
  };
}

function drawRetries(draw: Draw): Action {
  return {
    attempts: draw.whole(0, 3),
    ...draw.maybe(80, () => ({
      retryOn: draw.one(["5xx", "gateway-error", "503,retriable-4xx", "connect-failure", "retriable-status-codes,418", "reset"]),
    })),
    ...draw.maybe(20, () => ({ perTryTimeout: drawTryTimeout(draw) })),
  };
}

function drawRedirect(draw: Draw): Action {
  return draw.weighted<Action>([
    [3, () => ({ uri: draw.one(["/there", "/there?x=1", "%PREFIX()%"]) })],
    [2, () => ({ authority: draw.one(["other.example.com", "other.example.com:8443"]) })],
    [1, () => ({ uri: "/there", authority: "other.example.com", redirectCode: draw.one([302, 303, 307, 308]) })],
    [1, () => ({ scheme: "https" })],
    [1, () => ({ port: draw.one([80, 443, 8443]), ...draw.maybe(50, () => ({ scheme: "https" })) })],
    [1, () => ({ derivePort: draw.one(["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"]), uri: "/there" })],
  ]);
}

function drawAbort(draw: Draw): Action {
  return {
    abort: {
      percentage: { value: draw.one([100, 100, 50]) },
      ...draw.one([{ httpStatus: 418 }, { httpStatus: 503 }, { grpcStatus: "UNAVAILABLE" }]),
    },
  };
}

function drawCors(draw: Draw): Action {
  return {
    allowOrigins: [draw.one([{ exact: "https://a.test" }, { prefix: "https://a" }, { regex: "https://[ab]\\.test" }, { exact: "*" }])],
    allowMethods: ["GET", "POST"],
    ...draw.maybe(50, () => ({ allowHeaders: ["x-user"] })),
    ...draw.maybe(50, () => ({ exposeHeaders: ["x-back"], maxAge: "60s" })),
    ...draw.maybe(50, () => ({ allowCredentials: draw.chance(50) })),
    ...draw.maybe(30, () => ({ unmatchedPreflights: draw.one(["FORWARD", "IGNORE"]) })),
  };
}
