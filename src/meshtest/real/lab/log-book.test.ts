import { describe, expect, test } from "vitest";
import { readLogLine } from "./access-log.ts";
import { LogBook } from "./log-book.ts";

const PODS = [
  { workload: { namespace: "shop", name: "web" }, address: "10.244.0.11", hasProxy: true },
  { workload: { namespace: "shop", name: "cart" }, address: "10.244.0.12", hasProxy: true },
  { workload: { namespace: "shop", name: "legacy" }, address: "10.244.0.13", hasProxy: false },
];
const CLIENT = "10.244.0.11:40000";
const BETWEEN = "10.244.0.11:50000";

const sent = {
  of: "request",
  direction: "outbound",
  start: "2.0",
  status: 200,
  remote: CLIENT,
  cluster: "outbound|80||cart",
  upstreamHost: "10.244.0.12:80",
  upstreamLocal: BETWEEN,
};
const received = { of: "request", direction: "inbound", start: "2.1", status: 200, remote: BETWEEN, upstreamHost: "10.244.0.12:80" };
const refused = {
  of: "connection",
  direction: "inbound",
  start: "1.0",
  remote: "1.2.3.4:5",
  flags: "NR",
  details: "filter_chain_not_found",
};

const NOTHING = new Map<number, number>();
const WEB_ONCE = new Map([[0, 1]]);
const CART_ONCE = new Map([[1, 1]]);

const FAR_OFF = () => performance.now() + 30_000;
const OVER = () => performance.now();

describe("an exchange's lines", () => {
  test("come at once when both ends of each hop have spoken, the caller's first", async () => {
    const book = new LogBook(PODS);
    book.add(1, received);
    book.add(0, sent);
    const lines = await book.take({ entered: WEB_ONCE, arrived: CART_ONCE }, FAR_OFF());
    expect(lines.map(({ workload, direction }) => [workload.name, direction])).toEqual([
      ["web", "outbound"],
      ["cart", "inbound"],
    ]);
  });

  test.each([
    ["the caller's", [[1, received]], [0, sent], { entered: WEB_ONCE, arrived: NOTHING }],
    ["the receiver's, of which only the caller tells", [[0, sent]], [1, received], { entered: WEB_ONCE, arrived: NOTHING }],
    ["the receiver's, of which only its application tells", [], [1, received], { entered: NOTHING, arrived: CART_ONCE }],
  ] as const)("are waited for: %s", async (_name, first, last, expected) => {
    const book = new LogBook(PODS);
    for (const [at, one] of first) book.add(at, one);
    let isDone = false;
    const taken = book.take(expected, FAR_OFF()).finally(() => (isDone = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isDone).toBe(false);
    const [pod, line] = last;
    book.add(pod, line);
    expect(await taken).toHaveLength(first.length + 1);
  });

  test.each([
    ["where there is no proxy", [], { entered: new Map([[2, 1]]), arrived: new Map([[2, 1]]) }],
    ["of a next hop that could not be reached", [{ ...sent, flags: "UF,URX" }], { entered: WEB_ONCE, arrived: NOTHING }],
    ["of a proxy's own application", [{ ...received, upstreamLocal: "127.0.0.6:1" }], { entered: NOTHING, arrived: NOTHING }],
  ])("are not waited for %s", async (_name, lines, expected) => {
    const book = new LogBook(PODS);
    for (const line of lines) book.add(0, line);
    expect(await book.take(expected, FAR_OFF())).toHaveLength(lines.length);
  });

  test("are what came when the time is over", async () => {
    const book = new LogBook(PODS);
    book.add(0, sent);
    expect(await book.take({ entered: WEB_ONCE, arrived: NOTHING }, OVER())).toHaveLength(1);
  });

  test("hold none of an earlier exchange", async () => {
    const book = new LogBook(PODS);
    book.add(0, sent);
    book.clear(2050);
    book.add(0, sent);
    book.add(1, received);
    const lines = await book.take({ entered: NOTHING, arrived: NOTHING }, OVER());
    expect(lines.map(({ workload }) => workload.name)).toEqual(["cart"]);
  });
});

describe("the line of a connection", () => {
  const only = async (...lines: readonly object[]) => {
    const book = new LogBook(PODS);
    for (const line of lines) book.add(1, line);
    return (await book.take({ entered: NOTHING, arrived: NOTHING }, OVER())).map(({ of }) => of);
  };

  test("counts where it was closed before anything was asked", async () => {
    expect(await only(refused)).toEqual(["connection"]);
  });

  test.each([
    [
      "a request came on it",
      [received, { of: "connection", direction: "inbound", remote: BETWEEN, downstreamFailure: "not TLS" }],
      ["request"],
    ],
    ["a cluster was chosen", [{ ...refused, cluster: "inbound|80||" }], []],
    ["it ended as it should", [{ of: "connection", direction: "inbound", remote: "1.2.3.4:5" }], []],
  ])("says nothing new where %s", async (_name, lines, expected) => {
    expect(await only(...lines)).toEqual(expected);
  });

  test("counts again for a later connection from the same port", async () => {
    const closed = { of: "connection", direction: "inbound", remote: BETWEEN };
    expect(await only(received, closed, { ...refused, remote: BETWEEN, start: "3.0" })).toEqual(["request", "connection"]);
  });
});

describe("reading a line", () => {
  test("leaves out what Envoy had no value for", () => {
    const read = readLogLine({ ...received, flags: "-", status: 0, attempts: 1, peerPrincipal: "spiffe://a/ns/b/sa/c" });
    expect(read?.line).toEqual({
      of: "request",
      direction: "inbound",
      remote: BETWEEN,
      upstreamHost: "10.244.0.12:80",
      peerPrincipal: "spiffe://a/ns/b/sa/c",
      attempts: 1,
    });
  });

  test("names both ends' failures", () => {
    const read = readLogLine({ ...refused, downstreamFailure: "no certificate", upstreamFailure: "no route" });
    expect(read?.line.transportFailure).toBe("no certificate; no route");
  });

  test.each([undefined, null, 1, "text", [], {}, { of: "request" }, { of: "other", direction: "inbound" }])(
    "is nothing for %j",
    (value) => {
      expect(readLogLine(value)).toBeUndefined();
    },
  );
});
