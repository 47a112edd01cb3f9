import type { ProxyLogLine } from "../evaluate/index.ts";
import type { Arrival, ClientReport } from "../meshtest/real/exchange.ts";
import type { Sender } from "../meshtest/real/lab.ts";

/** A workload of the namespace `shop`. */
export const shop = (name: string) => ({ namespace: "shop", name });
export const WEB: Sender = { workload: shop("web") };
export const WEB_ID = "spiffe://cluster.local/ns/shop/sa/web";

/** What a client got. */
export const response = (status: number, over: Partial<Extract<ClientReport, { kind: "response" }>> = {}): ClientReport => ({
  ...{ kind: "response", status, headers: [["x-a", "1"]], trailers: [], body: "b", elapsedMs: 7 },
  ...over,
});
/** A request of `web` at the application of `cart`. */
export const arrival = (over: Partial<Arrival> = {}, request: Partial<NonNullable<Arrival["request"]>> = {}): Arrival => ({
  ...{ at: "shop/cart", port: 8080, peerAddress: "127.0.0.6", tls: false },
  request: {
    ...{ protocol: "http1", method: "GET", authority: "cart:8080", path: "/a", body: "" },
    headers: [
      ["host", "cart:8080"],
      ["x-request-id", "1"],
    ],
    ...request,
  },
  ...over,
});
/** What the proxy of `web` logs of a request to `cart`. */
export const outbound = (over: Partial<ProxyLogLine> = {}): ProxyLogLine => ({
  ...{
    workload: shop("web"),
    of: "request",
    direction: "outbound",
    protocol: "HTTP/1.1",
    status: 200,
    details: "via_upstream",
    requestId: "1",
  },
  ...{ listener: "0.0.0.0_8080", filterChain: "8080", routeConfiguration: "8080", authority: "cart:8080" },
  ...{ virtualHost: "cart.shop.svc.cluster.local:8080", route: "route/8080 virtualHosts[0].routes[1]" },
  ...{ cluster: "outbound|8080||cart.shop.svc.cluster.local", upstreamHost: "10.244.1.2:8080" },
  ...over,
});
/** What the proxy of `cart` logs of it. */
export const inbound = (over: Partial<ProxyLogLine> = {}): ProxyLogLine => ({
  ...{
    workload: shop("cart"),
    of: "request",
    direction: "inbound",
    protocol: "HTTP/1.1",
    status: 200,
    details: "via_upstream",
    requestId: "1",
  },
  ...{ listener: "virtualInbound", peerPrincipal: WEB_ID, cluster: "inbound|8080||" },
  ...over,
});
/** A line of a connection: it has nothing of a request. */
export const connection = (over: Partial<ProxyLogLine>): ProxyLogLine => ({
  workload: shop("cart"),
  of: "connection",
  direction: "inbound",
  listener: "virtualInbound",
  ...over,
});
