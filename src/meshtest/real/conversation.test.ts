import type { ProxyLogLine } from "../../evaluate/index.ts";
import { describe, expect, test } from "vitest";
import { arrival, inbound, outbound, response, shop, WEB } from "../../testing/lab-exchange.ts";
import { toConversations } from "./conversation.ts";
import type { Arrival, ClientReport, Exchange } from "./exchange.ts";

const at = (id: string, name: string): Arrival => arrival({ at: `shop/${name}` }, { headers: [["x-request-id", id]] });
const bytes = (name: string): Arrival => ({ at: `shop/${name}`, port: 9090, peerAddress: "", tls: false, bytes: "x" });
const closed: ClientReport = { kind: "closed", detail: "", elapsedMs: 1 };
const open: ClientReport = { kind: "open", received: "x", elapsedMs: 1 };

function told(exchange: Partial<Exchange>, sender: Parameters<typeof toConversations>[1] = WEB) {
  return toConversations({ reports: [], arrivals: [], log: [], ...exchange }, sender).map(({ report, arrivals, lines }) => [
    report.kind === "response" ? report.status : report.kind,
    arrivals.map((each) => each.at).join(" "),
    lines.map(({ workload, status }) => `${workload.name} ${status}`).join(", "),
  ]);
}

describe("of several requests of one call", () => {
  test("each has what its id joins, whatever the order of the arrivals", () => {
    const failed = { status: 503, details: "no_healthy_upstream", flags: "UH" };
    const log = [
      outbound({ requestId: "1" }),
      inbound({ requestId: "1" }),
      outbound({ requestId: "2", ...failed }),
      outbound({ requestId: "3" }),
      inbound({ requestId: "3", workload: shop("copy") }),
    ];
    const arrivals = [at("3", "copy"), at("1", "cart")];
    expect(told({ reports: [response(200), response(503), response(200)], arrivals, log })).toEqual([
      [200, "shop/cart", "web 200, cart 200"],
      [503, "", "web 503"],
      [200, "shop/copy", "web 200, copy 200"],
    ]);
  });

  test("sent several at a time each has an answer of its own status", () => {
    const log = [outbound({ requestId: "2" }), outbound({ requestId: "1", status: 503, details: "no_healthy_upstream" })];
    expect(told({ reports: [response(503), response(200)], arrivals: [at("2", "cart")], log })).toEqual([
      [503, "", "web 503"],
      [200, "shop/cart", "web 200"],
    ]);
  });

  test("of clients outside the gateway's line is the answer's, not that of the proxy behind it", () => {
    const gateway = (over: Partial<ProxyLogLine>) => outbound({ workload: shop("edge"), direction: "gateway", ...over });
    const log = [inbound({ requestId: "1", status: 500 }), gateway({ requestId: "1", status: 503 }), gateway({ requestId: "2" })];
    expect(told({ reports: [response(200), response(503)], log }, "outside")).toEqual([
      [200, "", "edge 200"],
      [503, "", "edge 503, cart 500"],
    ]);
  });

  test("of a client without a proxy the receiver's line is the answer's, and what was closed is nobody's request", () => {
    const log = [inbound({ requestId: "1", workload: shop("copy") })];
    expect(told({ reports: [closed, response(200)], arrivals: [at("1", "copy")], log })).toEqual([
      ["closed", "", ""],
      [200, "shop/copy", "copy 200"],
    ]);
  });

  test("without ids each has its own by the order, and what was closed has no arrival", () => {
    expect(told({ reports: [open, closed, open], arrivals: [bytes("cart"), bytes("copy")] })).toEqual([
      ["open", "shop/cart", ""],
      ["closed", "", ""],
      ["open", "shop/copy", ""],
    ]);
  });

  test("connections are told apart by their ends, in whatever order they were logged", () => {
    const tcp = (name: string, remote: string, upstreamLocal: string, over: Partial<ProxyLogLine> = {}): ProxyLogLine => {
      const ends = { remote, local: `${name}:1`, upstreamLocal, upstreamHost: "own:8080" };
      const { requestId: _, status: __, ...line } = inbound({ workload: shop(name), of: "tcp", ...ends, ...over });
      return line;
    };
    // Two connections of one proxy may have the same port, to different places.
    const out = (to: string) => ({ direction: "outbound", upstreamHost: `${to}:1` }) as const;
    const log = [
      tcp("web", "10.244.1.2:1", "10.244.1.2:11", out("copy")),
      tcp("web", "10.244.1.2:2", "10.244.1.2:12", out("cart")),
      tcp("web", "10.244.1.2:3", "10.244.1.2:12", out("copy")),
      tcp("cart", "10.244.1.2:12", "127.0.0.6:7", { peerPrincipal: "second" }),
      tcp("copy", "10.244.1.2:12", "127.0.0.6:7", { peerPrincipal: "third" }),
      tcp("copy", "10.244.1.2:11", "127.0.0.6:8", { peerPrincipal: "first" }),
    ];
    const came = (name: string, peerPort: number): Arrival => ({ ...bytes(name), port: 8080, peerAddress: "127.0.0.6", peerPort });
    const arrivals = [came("cart", 7), came("copy", 7), came("copy", 8)];
    const reports = [1, 2, 3].map((port): ClientReport => ({ ...open, local: `10.244.1.2:${port}` }));
    const found = toConversations({ reports, arrivals, log }, WEB);
    expect(found.map((each) => each.arrivals.map(({ at, peerPort }) => `${at} ${peerPort}`))).toEqual([
      ["shop/copy 8"],
      ["shop/cart 7"],
      ["shop/copy 7"],
    ]);
    expect(found.map(({ lines }) => lines.find(({ direction }) => direction === "inbound")?.peerPrincipal)).toEqual([
      "first",
      "second",
      "third",
    ]);
  });

  test("of a connection that carries several requests the order tells them apart", () => {
    const line = (over: Partial<ProxyLogLine>) => {
      const { requestId: _, ...rest } = inbound(over);
      return rest;
    };
    const first = (remote: string) =>
      line({ workload: shop("web"), direction: "outbound", remote, upstreamLocal: "10.244.1.2:9", upstreamHost: "cart:1" });
    const next = line({ remote: "10.244.1.2:9", local: "cart:1" });
    const log = [first("10.244.1.2:1"), first("10.244.1.2:2"), next, { ...next }];
    const reports = [1, 2].map((port): ClientReport => ({ ...open, local: `10.244.1.2:${port}` }));
    expect(toConversations({ reports, arrivals: [], log }, WEB).map(({ lines }) => lines.length)).toEqual([2, 2]);
  });

  test("with one id for all, as a test may set it, the order tells them apart", () => {
    const log = [outbound(), outbound()];
    expect(told({ reports: [response(200), response(200)], arrivals: [at("1", "cart"), at("1", "copy")], log })).toEqual([
      [200, "shop/cart", "web 200"],
      [200, "shop/copy", "web 200"],
    ]);
  });
});

test("one request has all of it, its copies apart, in the order of its way", () => {
  const copied = arrival({ at: "shop/copy" }, { authority: "cart-shadow:8080" });
  const log = [inbound({ workload: shop("copy") }), inbound(), outbound()];
  const [only] = toConversations({ reports: [response(200)], arrivals: [copied, arrival()], log }, WEB);
  expect(only?.arrivals.map((each) => each.at)).toEqual(["shop/cart"]);
  expect(only?.mirrors.map((each) => each.at)).toEqual(["shop/copy"]);
  expect(only?.lines.map(({ workload }) => workload.name)).toEqual(["web", "cart"]);
});

test("a copy that comes after its call is nobody's", () => {
  const late = arrival({ at: "shop/copy" }, { authority: "cart-shadow:8080", headers: [["x-request-id", "0"]] });
  const log = [inbound({ requestId: "0", workload: shop("copy") }), outbound(), inbound()];
  const [only] = toConversations({ reports: [response(200)], arrivals: [late, arrival()], log }, WEB);
  expect(only?.mirrors).toEqual([]);
  expect(only?.lines.map(({ workload }) => workload.name)).toEqual(["web", "cart"]);
  const two = [...log, outbound({ requestId: "2" }), inbound({ requestId: "2" })];
  const arrivals = [late, arrival(), at("2", "cart")];
  expect(told({ reports: [response(200), response(200)], arrivals, log: two }).map(([, who]) => who)).toEqual(["shop/cart", "shop/cart"]);
});

test("a try that ended before it was a request keeps its place before the next one, whose id it has not", () => {
  const { requestId: _, ...failedTry } = inbound({ workload: shop("copy"), status: 400, details: "http1.codec_error", flags: "DPE" });
  const [only] = toConversations({ reports: [response(200)], arrivals: [arrival()], log: [outbound(), failedTry, inbound()] }, WEB);
  expect(only?.lines.map(({ workload }) => workload.name)).toEqual(["web", "copy", "cart"]);
});
