import { type Aim, aimAtGateway, aimAtGatewayTls, aimAtService, aimAtWorkload, aimOutside } from "./aim.ts";
import { drawBytes, drawDeadEnd } from "./bytes.ts";
import { drawBody, drawHeaders } from "./body.ts";
import { DELAY_HEADER, drawDelay } from "./delay.ts";
import type { FuzzCall } from "./document.ts";
import type { Draw } from "./draw.ts";
import { nearHost, nearPath, nearValue } from "./edge.ts";
import { CALLERS } from "./topology.ts";
import { drawPastProxy } from "./past-proxy.ts";
import { rawPath } from "./raw-path.ts";
import { drawToken } from "./token.ts";
import type { GeneratedMesh } from "./mesh.ts";
import type { HttpMatch } from "./virtual-service.ts";
import { drawNear, HEADERS, METHODS, PATHS } from "./vocabulary.ts";

type Lines = Readonly<Record<string, string | readonly string[]>>;

/** A request before it is written down. */
interface Draft {
  readonly path: string;
  readonly method: string;
  readonly headers: Lines;
}

export function drawCall(draw: Draw, mesh: GeneratedMesh): FuzzCall {
  return draw.weighted<FuzzCall>([
    [46, () => http(draw, mesh, aimAtService(draw, mesh))],
    [26, () => http(draw, mesh, aimAtGateway(draw, mesh))],
    [5, () => http(draw, mesh, aimAtGatewayTls(draw, mesh))],
    [5, () => http(draw, mesh, aimAtWorkload(draw))],
    [4, () => http(draw, mesh, aimOutside(draw, mesh))],
    [9, () => drawBytes(draw)],
    [2, () => drawDeadEnd(draw)],
    [2, () => drawPastProxy(draw)],
    [3, () => ({ from: { workload: draw.one(CALLERS) }, request: drawGrpc(draw, mesh) })],
  ]);
}

function drawGrpc(draw: Draw, mesh: GeneratedMesh): FuzzCall["request"] {
  const method = draw.one(["/shop.Users/Get", "/shop.Users/Delete", "/admin"]);
  const { token } = mesh.tokenRules.length > 0 && draw.chance(50) ? { token: drawToken(draw, mesh.tokenRules) } : {};
  return {
    url: `grpc://users.shop:9000${method}`,
    ...(token && { token }),
    ...draw.maybe(20, () => ({ headers: { "x-user": "tester" } })),
  };
}

function http(draw: Draw, mesh: GeneratedMesh, { from, scheme, host, port, more, routes }: Aim): FuzzCall {
  const matches = routes.flatMap(({ spec }) => (spec.http ?? []).flatMap(({ match = [] }) => match));
  const [near, authority] = draftFor(draw, matches);
  const edged = drawEdges(draw, near);
  const draft = shownBytes(mesh).length > 0 && draw.chance(35) ? { ...edged, method: "POST" } : edged;
  const sent = authority ?? (draw.chance(6) ? nearHost(host, draw) : undefined);
  const token = draw.chance(mesh.tokenRules.length > 0 ? 75 : 3) ? { token: drawToken(draw, mesh.tokenRules) } : {};
  const headers = {
    ...(sent !== undefined && { host: sent }),
    ...draft.headers,
    ...drawAsides(draw, mesh, timesOf(routes)),
    ...draw.maybe(more?.http2 === true ? 0 : 4, () => drawHop(draw)),
    ...draw.maybe(2, () => drawHeaders(draw)),
  };
  const isPlain = /^\/[\w./-]*$/.test(draft.path) && !/\/\.|\/\//.test(draft.path);
  const url = `${scheme}://${host}${port === undefined ? "" : `:${port}`}`;
  return {
    from,
    request: {
      url: isPlain ? url + draft.path : `${url}/`,
      ...(!isPlain && { rawPath: draft.path }),
      ...(draft.method !== "GET" && scheme.startsWith("http") && { method: draft.method }),
      ...(Object.keys(headers).length > 0 && { headers }),
      ...((draft.method === "POST" || draft.method === "PUT") && scheme.startsWith("http") && drawBody(draw, shownBytes(mesh))),
      ...token,
      ...more,
    },
  };
}

function timesOf(routes: Aim["routes"]): readonly number[] {
  return routes.flatMap(({ spec }) =>
    (spec.http ?? []).flatMap(({ timeout }) => (typeof timeout === "string" ? Number.parseInt(timeout, 10) : [])),
  );
}

function shownBytes({ authorizers }: GeneratedMesh): readonly number[] {
  return authorizers.flatMap(({ bodyBytes }) => bodyBytes ?? []);
}

/** What stands first is not in the shadow of others. */
function drawEarly<T>(draw: Draw, values: readonly T[]): T {
  const last = values.length - 1;
  return values[Math.min(draw.whole(0, last), draw.whole(0, last))] as T;
}

/** A request that meets one of the conditions, or none that is known. */
function draftFor(draw: Draw, matches: readonly HttpMatch[]): readonly [Draft, string?] {
  const random = (): Draft => ({ path: draw.one(PATHS), method: draw.chance(75) ? "GET" : draw.one(METHODS), headers: {} });
  if (matches.length === 0 || draw.chance(8)) return [random()];
  const { uri, method, authority, headers = {}, withoutHeaders = {}, queryParams = {} } = drawEarly(draw, matches);
  const path = uri === undefined ? draw.one(PATHS) : drawNear(draw, uri, PATHS);
  const query = Object.entries(queryParams).map(([name, value]) => `${name}=${encodeURIComponent(drawNear(draw, value, ["", "1"]))}`);
  const lines = Object.entries({ ...headers, ...(draw.chance(50) ? withoutHeaders : {}) }).map(([name, value]) => [
    name,
    drawNear(draw, value, HEADERS[name] ?? [""]),
  ]);
  const draft = {
    path: query.length === 0 ? path : `${path}${path.includes("?") ? "&" : "?"}${query.join("&")}`,
    method: method === undefined ? "GET" : drawNear(draw, method, METHODS),
    headers: Object.fromEntries(lines) as Lines,
  };
  return authority === undefined ? [draft] : [draft, drawNear(draw, authority, ["shop.example.com"])];
}

/** Most requests are changed in one place, some in none. */
function drawEdges(draw: Draw, draft: Draft): Draft {
  const names = Object.keys(draft.headers);
  return draw.weighted<Draft>([
    [15, () => draft],
    [5, () => ({ ...draft, path: nearPath(draft.path, draw) })],
    [2, () => ({ ...draft, path: rawPath(draft.path, draw) })],
    [
      names.length > 0 ? 6 : 0,
      () => {
        const name = draw.one(names);
        return { ...draft, headers: { ...draft.headers, [name]: nearValue(String(draft.headers[name]), draw) } };
      },
    ],
    [1, () => ({ ...draft, method: draw.one(["HEAD", "PATCH", ...METHODS]) })],
  ]);
}

/** What ends at the first proxy; over HTTP/2 a client can't send it. */
function drawHop(draw: Draw): Lines {
  return draw.one<Lines>([
    { te: draw.one(["trailers", "gzip, trailers", "Trailers", "gzip"]) },
    { te: "gzip, Trailers", connection: "te" },
    { connection: draw.one(["x-user", "close, X-User", "cookie", "authorization", "x-forwarded-for", "a,b,c,d,e,f,g,h,i,j"]) },
    { expect: draw.one(["100-continue", "other"]) },
  ]);
}

/** Headers that proxies know, and what the application is asked to answer. */
function drawAsides(draw: Draw, { authorizers }: GeneratedMesh, timesMs: readonly number[]): Lines {
  const limitsMs = [...timesMs, ...authorizers.flatMap(({ timeoutMs }) => timeoutMs ?? [])];
  return {
    ...draw.maybe(authorizers.length > 0 ? 12 : 0, () => ({ "x-echo-status": draw.one(["401", "403", "302", "200", "500"]) })),
    ...draw.maybe(7, () => ({ "x-echo-status": draw.one(["503", "503,200", "500,503,200", "404", "409", "418,200"]) })),
    ...draw.maybe(limitsMs.length > 0 ? 12 : 2, () => ({ [DELAY_HEADER]: drawDelay(draw, limitsMs) })),
    ...draw.maybe(8, () => ({
      origin: draw.one(["https://a.test", "https://b.test", "https://A.test", "null"]),
      ...draw.maybe(50, () => ({ "access-control-request-method": "GET" })),
    })),
    ...draw.maybe(4, () => ({ "x-forwarded-for": draw.one(["1.2.3.4", "1.2.3.4, 10.0.0.1", "nonsense"]) })),
    ...draw.maybe(3, () => ({ "x-forwarded-proto": draw.one(["https", "HTTPS", "ftp"]) })),
    ...draw.maybe(2, () => ({ "x-forwarded-client-cert": "URI=spiffe://cluster.local/ns/shop/sa/client" })),
    ...draw.maybe(2, () => ({ "x-request-id": `7c1f3f5e-0000-4000-8000-${String(draw.whole(0, 1e9)).padStart(12, "0")}` })),
    ...draw.maybe(2, () => ({ x_user: "tester" })),
    ...draw.maybe(2, () =>
      draw.one([
        { "x-envoy-max-retries": "1" },
        { "x-envoy-retry-on": "5xx" },
        { "x-envoy-upstream-rq-timeout-ms": "1000" },
        { "x-envoy-original-path": "/x" },
      ]),
    ),
  };
}
