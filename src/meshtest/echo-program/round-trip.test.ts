import { afterEach, beforeEach, expect, test } from "vitest";
import { EchoUnderTest, freshAddress, orderTo } from "../../testing/echo-program.ts";
import type { ClientOrder } from "../real/exchange.ts";

let echo: EchoUnderTest;
let address: string;
beforeEach(() => {
  echo = new EchoUnderTest();
  address = freshAddress();
});
afterEach(() => echo.close());

const header = [["x-a", "1"]] as const;
const rows: readonly {
  readonly title: string;
  readonly order: Partial<ClientOrder>;
  readonly report: object;
  readonly arrival: object;
}[] = [
  {
    title: "HTTP/1 with a body",
    order: { method: "POST", path: "/p?q", body: "salt", headers: header },
    report: { kind: "response", status: 200, body: "salt", headers: [["content-length", "4"]], trailers: [] },
    arrival: {
      request: {
        protocol: "http1",
        method: "POST",
        authority: "shop.example",
        path: "/p?q",
        headers: [
          ["host", "shop.example"],
          ["x-a", "1"],
          ["content-length", "4"],
        ],
        body: "salt",
      },
    },
  },
  {
    title: "HTTP/1 in chunks, where the order says so",
    order: { method: "POST", body: "salt", headers: [["transfer-encoding", "chunked"]] },
    report: { status: 200, body: "salt" },
    arrival: {
      request: {
        headers: [
          ["host", "shop.example"],
          ["transfer-encoding", "chunked"],
        ],
        body: "salt",
      },
    },
  },
  {
    title: "an odd path, absolute form and header lines in their order",
    order: {
      path: "http://a b/%zz//..;é",
      headers: [
        ["X-B", "2"],
        ["x-a", "1"],
        ["X-B", "3"],
        ["no value", ""],
      ],
    },
    report: { status: 200 },
    arrival: {
      request: {
        path: "http://a b/%zz//..;é",
        headers: [
          ["host", "shop.example"],
          ["x-b", "2"],
          ["x-a", "1"],
          ["x-b", "3"],
          ["no value", ""],
        ],
      },
    },
  },
  {
    title: "an unknown method",
    order: { method: "BREW" },
    report: { status: 200 },
    arrival: { request: { method: "BREW" } },
  },
  {
    title: "HEAD, whose answer has a length and no body",
    order: { method: "HEAD", body: "salt" },
    report: { status: 200, body: "", headers: [["content-length", "4"]] },
    arrival: { request: { method: "HEAD", body: "salt" } },
  },
  {
    title: "the status that is asked for, without a body where there is none",
    order: { headers: [["x-echo-status", "204"]], body: "salt" },
    report: { status: 204, body: "", headers: [] },
    arrival: { request: { body: "salt" } },
  },
  {
    title: "HTTP/2",
    order: {
      protocol: "http2",
      method: "PUT",
      body: "pepper",
      headers: [
        ["X-B", "2"],
        ["x-b", "ü"],
      ],
    },
    report: { kind: "response", status: 200, headers: [], trailers: [], body: "pepper" },
    arrival: {
      request: {
        protocol: "http2",
        method: "PUT",
        authority: "shop.example",
        path: "/",
        headers: [
          ["x-b", "2"],
          ["x-b", "ü"],
        ],
        body: "pepper",
      },
    },
  },
  {
    title: "HTTP/2 with header lines that Node's own client refuses",
    order: {
      protocol: "http2",
      headers: [
        ["authorization", "a"],
        ["authorization", "b"],
      ],
    },
    report: { status: 200 },
    arrival: {
      request: {
        headers: [
          ["authorization", "a"],
          ["authorization", "b"],
        ],
      },
    },
  },
  {
    title: "HTTP/2 without a body",
    order: { protocol: "http2", headers: [["x-echo-status", "418"]] },
    report: { status: 418, body: "" },
    arrival: { request: { protocol: "http2", method: "GET" } },
  },
  {
    title: "a body wider than HTTP/2's first windows",
    order: { protocol: "http2", method: "POST", body: "0123456789".repeat(100_000) },
    report: { status: 200, body: "0123456789".repeat(100_000) },
    arrival: {},
  },
  {
    title: "a header block of several frames",
    order: { protocol: "http2", headers: [["x-long", "l".repeat(40_000)]] },
    report: { status: 200 },
    arrival: { request: { headers: [["x-long", "l".repeat(40_000)]] } },
  },
  {
    title: "gRPC, answered in trailers",
    order: { protocol: "grpc", method: "POST", path: "/shop.Users/Get", body: "salt" },
    report: { status: 200, headers: [["content-type", "application/grpc"]], trailers: [["grpc-status", "0"]], body: "salt" },
    arrival: {
      request: {
        protocol: "grpc",
        method: "POST",
        path: "/shop.Users/Get",
        headers: [["content-type", "application/grpc"]],
        body: "salt",
      },
    },
  },
  {
    title: "gRPC that fails, told in headers",
    order: {
      protocol: "grpc",
      method: "POST",
      headers: [
        ["content-type", "application/grpc+proto"],
        ["x-echo-status", "503"],
      ],
    },
    report: {
      status: 503,
      headers: [
        ["content-type", "application/grpc"],
        ["grpc-status", "14"],
      ],
      trailers: [],
      body: "",
    },
    arrival: { request: { protocol: "grpc" } },
  },
  {
    title: "a WebSocket, whose frame comes back",
    order: { protocol: "websocket", path: "/ws", body: "w".repeat(70_000) },
    report: { kind: "response", status: 101, body: "w".repeat(70_000) },
    arrival: {
      request: {
        protocol: "http1",
        headers: [
          ["host", "shop.example"],
          ["connection", "Upgrade"],
          ["upgrade", "websocket"],
        ],
      },
    },
  },
  {
    title: "a WebSocket that is refused",
    order: { protocol: "websocket", headers: [["x-echo-status", "403"]] },
    report: { kind: "response", status: 403, body: "" },
    arrival: {},
  },
  {
    title: "bytes",
    order: { protocol: "tcp", body: "salt" },
    report: { kind: "open", received: "salt" },
    arrival: { bytes: "salt" },
  },
  {
    title: "a line, where there is no body",
    order: { protocol: "tcp" },
    report: { kind: "open", received: "hello\n" },
    arrival: { bytes: "hello\n" },
  },
  {
    title: "bytes that begin as a request does",
    order: { protocol: "tcp", body: "GET /half a line" },
    report: { kind: "open", received: "GET /half a line" },
    arrival: { bytes: "GET /half a line" },
  },
];
test.each(rows)("arrives, and comes back: $title", async ({ order, report, arrival }) => {
  await echo.listen({ address, port: 8080, as: "shop/users-v1" });
  expect(await echo.send(orderTo(address, order))).toMatchObject(report);
  expect(echo.arrivals()).toMatchObject([{ at: "shop/users-v1", port: 8080, peerAddress: "127.0.0.1", tls: false, ...arrival }]);
});
