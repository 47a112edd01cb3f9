import { connect, type Socket } from "node:net";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EchoUnderTest, freshAddress, orderTo } from "../../testing/echo-program.ts";
import { until } from "../../testing/until.ts";
import type { ClientOrder } from "../real/exchange.ts";

let echo: EchoUnderTest;
let address: string;
beforeEach(() => {
  echo = new EchoUnderTest();
  address = freshAddress();
});
afterEach(() => echo.close());

describe("statuses one after another", () => {
  const statuses = async (program: EchoUnderTest, ids: readonly string[], more: Partial<ClientOrder> = {}): Promise<readonly unknown[]> => {
    const seen: unknown[] = [];
    for (const id of ids) {
      const report = await program.send(
        orderTo(address, {
          headers: [
            ["x-request-id", id],
            ["x-echo-status", "503, 502,200"],
          ],
          ...more,
        }),
      );
      seen.push(report.kind === "response" ? report.status : report.kind);
    }
    return seen;
  };

  test("are counted by the request's id, the last one from then on", async () => {
    await echo.listen({ address, port: 8080, as: "a/b" });
    expect(await statuses(echo, ["one", "one", "two", "one", "one"])).toEqual([503, 502, 503, 200, 200]);
  });

  test("are counted together by programs that share a folder", async () => {
    const folder = mkdtempSync(join(tmpdir(), "echo-attempts-"));
    const [first, second] = [new EchoUnderTest(folder), new EchoUnderTest(folder)];
    await first.listen({ address, port: 8080, as: "a/b" });
    await second.listen({ address, port: 8081, as: "a/c" });
    expect(await statuses(first, ["one"])).toEqual([503]);
    expect(await statuses(second, ["one"], { destination: { address, port: 8081 } })).toEqual([502]);
    expect(await statuses(first, ["one"])).toEqual([200]);
    await Promise.all([first.close(), second.close()]);
    rmSync(folder, { recursive: true });
  });

  test.each(["http1", "http2"] as const)("that can't be counted are an error, and no answer: %s", async (protocol) => {
    const broken = new EchoUnderTest(join(tmpdir(), "no-such-folder"));
    await broken.listen({ address, port: 8080, as: "a/b" });
    expect(await statuses(broken, ["one"], { protocol })).toEqual(["closed"]);
    expect(broken.outputs).toContainEqual({ kind: "error", message: expect.stringContaining("ENOENT") });
    await broken.close();
  });

  test("of a mirror's copies are counted apart", async () => {
    await echo.listen({ address, port: 8080, as: "a/b" });
    expect(await statuses(echo, ["one"], { authority: "shop.example-shadow:80" })).toEqual([503]);
    expect(await statuses(echo, ["one"])).toEqual([503]);
  });
});

describe("the server", () => {
  test("waits as long as it is asked to", async () => {
    await echo.listen({ address, port: 8080, as: "a/b" });
    const report = await echo.send(orderTo(address, { headers: [["x-echo-delay-ms", "200"]] }));
    expect(report.elapsedMs).toBeGreaterThanOrEqual(199);
  });

  test("speaks first where it has a greeting, and then echoes", async () => {
    await echo.listen({ address, port: 8080, as: "a/db", greeting: "mysql of a/db" });
    const report = await echo.send(orderTo(address, { protocol: "tcp", body: "GET / HTTP/1.1\n", serverFirst: true }));
    expect(report).toMatchObject({ kind: "open", received: "mysql of a/db\nGET / HTTP/1.1\n" });
    expect(echo.arrivals()).toMatchObject([{ at: "a/db", port: 8080, tls: false }]);
  });

  test("keeps the connections of ports that stay, which go on under their old name, and drops those of ports that go", async () => {
    await echo.listen({ address, port: 8080, as: "a/b" }, { address, port: 8081, as: "a/gone" });
    const [kept, gone] = [await open(8080), await open(8081)];
    expect(await ask(kept)).toContain("200");
    const ended = new Promise((resolve) => gone.resume().once("end", resolve));
    expect((await echo.listen({ address, port: 8080, as: "a/renamed" }, { address, port: 8082, as: "a/new" })).failed).toEqual([]);
    await ended;
    expect(await ask(kept)).toContain("200");
    expect(await echo.send(orderTo(address, { destination: { address, port: 8081 } }))).toMatchObject({
      kind: "refused",
      detail: "ECONNREFUSED",
    });
    await echo.send(orderTo(address, { destination: { address, port: 8082 } }));
    await echo.send(orderTo(address));
    expect(echo.arrivals().map(({ at }) => at)).toEqual(["a/b", "a/b", "a/new", "a/renamed"]);
    kept.destroy();
  });

  test("says which ports it can't open, and opens the others", async () => {
    const other = new EchoUnderTest();
    await other.listen({ address, port: 8081, as: "a/b" });
    const badKey = { chainPem: "no certificate", keyPem: "no key" };
    const { failed } = await echo.listen(
      { address, port: 8080, as: "a/b" },
      { address, port: 8081, as: "a/b" },
      { address, port: 8082, as: "a/b", tls: badKey },
      { address: "192.0.2.1", port: 80, as: "a/b" },
    );
    expect(failed.map(({ port }) => port).toSorted((a, b) => a - b)).toEqual([80, 8081, 8082]);
    expect(failed.find(({ port }) => port === 8081)?.message).toContain("EADDRINUSE");
    expect(await echo.send(orderTo(address))).toMatchObject({ status: 200 });
    await other.close();
  });

  test("answers for the host asked for, where it stands for many", async () => {
    await echo.listen({ address, port: 8080, as: "external:*" });
    await echo.send(orderTo(address, { authority: "API.example:8080" }));
    await echo.send(orderTo(address, { protocol: "tcp" }));
    expect(echo.arrivals().map(({ at }) => at)).toEqual(["external:api.example", `external:${address}`]);
  });

  test("listens on every address of its network where none is given", async () => {
    const port = 20_000 + (process.pid % 10_000);
    await echo.listen({ port, as: "a/b" });
    expect(await echo.send(orderTo(freshAddress(), { destination: { address, port } }))).toMatchObject({ status: 200 });
    expect(echo.arrivals()).toMatchObject([{ peerAddress: "127.0.0.1" }]);
  });
});

test("a client connects from the address that it is told to; one that isn't there is an error, not a report", async () => {
  await echo.listen({ address, port: 8080, as: "a/b" });
  const localAddress = freshAddress();
  await echo.send(orderTo(address, { localAddress }));
  expect(echo.arrivals()).toMatchObject([{ peerAddress: localAddress }]);
  await expect(echo.send(orderTo(address, { localAddress: "192.0.2.7" }))).rejects.toThrow("EADDRNOTAVAIL");
});

test("1,000 requests, 10 at a time, all arrive before they are reported", async () => {
  await echo.listen({ address, port: 8080, as: "a/b" });
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < 1000) {
      const path = `/${next++}`;
      expect(await echo.send(orderTo(address, { path, protocol: next % 2 === 0 ? "http1" : "http2" }))).toMatchObject({ status: 200 });
      expect(echo.arrivals().some(({ request }) => request?.path === path)).toBe(true);
    }
  };
  await Promise.all(Array.from({ length: 10 }, one));
  expect(await echo.flush()).toHaveLength(1000);
});

test("500 requests at once are all answered", async () => {
  await echo.listen({ address, port: 8080, as: "a/b" });
  const reports = await Promise.all(Array.from({ length: 500 }, (_, i) => echo.send(orderTo(address, { path: `/${i}` }))));
  expect(reports.filter((report) => report.kind === "response" && report.status === 200)).toHaveLength(500);
});

describe("lines that can't be used are answered by an error", () => {
  test.each([
    { title: "no JSON", line: "{", message: "no JSON" },
    { title: "no object", line: "[]", message: "no JSON object" },
    { title: "no id", line: '{"kind":"flush"}', message: "id must be a whole number" },
    { title: "an unknown kind", line: '{"kind":"toString","id":7}', message: "kind must be listen, send or flush", id: 7 },
    {
      title: "a port that is none",
      line: '{"kind":"listen","id":7,"ports":[{"port":70000,"as":"a/b"}]}',
      message: "ports[0].port must be",
      id: 7,
    },
    { title: "no list of ports", line: '{"kind":"listen","id":7}', message: "ports must be a list", id: 7 },
    { title: "no order", line: '{"kind":"send","id":7,"order":null}', message: "order must be an object", id: 7 },
    { title: "a header that is no pair", line: send({ headers: [["a"]] }), message: "order.headers[0] must be a name and a value", id: 7 },
    { title: "a time beyond all patience", line: send({ timeoutMs: 1e9 }), message: "order.timeoutMs", id: 7 },
    { title: "a method that is too long", line: send({ method: "m".repeat(300_000) }), message: "order.method is too long", id: 7 },
    { title: "a line of more than 8 MiB", line: "x".repeat(9 << 20), message: "a line is too long" },
    { title: "random bytes", line: randomBytes(1000).toString("latin1").replaceAll("\n", ""), message: "no JSON" },
  ])("$title", async ({ line, message, id }) => {
    echo.write(`${line}\n`);
    const output = await until("an error", () => echo.outputs[0]);
    expect(output).toEqual({ kind: "error", ...(id !== undefined && { id }), message: expect.stringContaining(message) });
    await echo.flush();
  });

  function send(more: object): string {
    return JSON.stringify({ kind: "send", id: 7, order: { ...orderTo("127.0.0.1"), ...more } });
  }
});

test("garbage on a port harms nobody else", async () => {
  await echo.listen({ address, port: 8080, as: "a/b" });
  const garbage = [
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnow what"),
    Buffer.from("PRI * HTTP/2.0"),
    Buffer.from("GET / HTTP/1.1\r\nno end of this head"),
    Buffer.from("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
    Buffer.from("POST / HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n"),
    Buffer.from("GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "latin1"),
    Buffer.from("GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n\x01\xff", "latin1"),
    Buffer.from("\x16\x03\x01\x00\x05hello", "latin1"),
    Buffer.from("\n\n\n"),
    Buffer.alloc(0),
    ...Array.from({ length: 50 }, () => randomBytes(300)),
  ];
  for (const bytes of garbage) {
    for (const isHalfClosed of [true, false]) {
      const socket = await open(8080);
      if (isHalfClosed) socket.end(bytes);
      else socket.write(bytes, () => socket.resetAndDestroy());
    }
  }
  expect(await echo.send(orderTo(address))).toMatchObject({ status: 200 });
  expect(echo.outputs.filter(({ kind }) => kind === "error")).toEqual([]);
});

async function open(port: number): Promise<Socket> {
  const socket = connect({ host: address, port, allowHalfOpen: true });
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

async function ask(socket: Socket): Promise<string> {
  const answer = new Promise<Buffer>((resolve) => socket.once("data", resolve));
  socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  return (await answer).toString();
}
