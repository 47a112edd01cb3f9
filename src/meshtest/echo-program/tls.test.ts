import { connect as connectPlain } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EchoUnderTest, freshAddress, orderTo } from "../../testing/echo-program.ts";
import { until } from "../../testing/until.ts";
import { TestAuthority } from "../real/certificates.ts";
import type { ClientOrder, EchoPort } from "../real/exchange.ts";
import { send } from "./client.ts";

const HOST = "shop.example";
const servers = new TestAuthority("servers", Date.now());
const clients = new TestAuthority("clients", Date.now());
const strangers = new TestAuthority("strangers", Date.now());
const certificate = servers.issue({ hosts: [HOST] });

let echo: EchoUnderTest;
let address: string;
beforeEach(() => {
  echo = new EchoUnderTest();
  address = freshAddress();
});
afterEach(() => echo.close());

const tlsPort = (more: Partial<EchoPort> = {}): EchoPort => ({
  address,
  port: 8080,
  as: "shop/users",
  tls: certificate,
  ...more,
});

type Tls = NonNullable<ClientOrder["tls"]>;
const withTls = (protocol: ClientOrder["protocol"], tls: Partial<Tls> = {}): Partial<ClientOrder> => ({
  protocol,
  tls: { sni: HOST, alpn: protocol === "http2" || protocol === "grpc" ? ["h2"] : [], trustPem: servers.rootPem, ...tls },
});

describe("an echo port that ends TLS", () => {
  test.each([
    { protocol: "http1", report: { kind: "response", status: 200 }, arrival: { request: { protocol: "http1" } } },
    { protocol: "http2", report: { kind: "response", status: 200 }, arrival: { request: { protocol: "http2" } } },
    { protocol: "grpc", report: { kind: "response", trailers: [["grpc-status", "0"]] }, arrival: { request: { protocol: "grpc" } } },
    { protocol: "websocket", report: { kind: "response", status: 101, body: "hello" }, arrival: { request: { protocol: "http1" } } },
    { protocol: "tls", report: { kind: "open", received: "hello\n" }, arrival: { bytes: "hello\n" } },
  ] as const)("speaks $protocol inside", async ({ protocol, report, arrival }) => {
    await echo.listen(tlsPort());
    expect(await echo.send(orderTo(address, withTls(protocol)))).toMatchObject(report);
    expect(echo.arrivals()).toMatchObject([{ at: "shop/users", port: 8080, peerAddress: "127.0.0.1", tls: true, sni: HOST, ...arrival }]);
  });

  test("speaks first inside TLS", async () => {
    await echo.listen(tlsPort({ greeting: "mysql" }));
    expect(await echo.send(orderTo(address, { ...withTls("tls"), serverFirst: true }))).toMatchObject({ received: "mysql\nhello\n" });
  });

  test("answers under the name asked for, where it stands for many hosts", async () => {
    await echo.listen(tlsPort({ as: "external:*" }), { address, port: 8081, as: "external:*" });
    await echo.send(orderTo(address, { ...withTls("http1"), authority: "other.example" }));
    await echo.send(orderTo(address, { destination: { address, port: 8081 }, authority: "plain.example:8081" }));
    expect(echo.arrivals().map(({ at }) => at)).toEqual([`external:${HOST}`, "external:plain.example"]);
  });

  test.each([
    { offered: ["h2", "http/1.1"], chosen: "h2" },
    { offered: ["http/1.1", "h2"], chosen: "h2" },
    { offered: ["http/1.1"], chosen: "http/1.1" },
    { offered: ["foreign", "http/1.1"], chosen: "http/1.1" },
    { offered: ["foreign"], chosen: "foreign" },
    { offered: [], chosen: false },
  ])("chooses $chosen of $offered", async ({ offered, chosen }) => {
    await echo.listen(tlsPort());
    const { connect } = await import("node:tls");
    const socket = connect({ host: address, port: 8080, ALPNProtocols: offered, ca: servers.rootPem, servername: HOST });
    await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
    expect(socket.alpnProtocol).toBe(chosen);
    socket.destroy();
  });

  test("ends a plaintext connection that it doesn't take: no application saw it", async () => {
    await echo.listen(tlsPort());
    expect(await echo.send(orderTo(address))).toMatchObject({ kind: "closed" });
    expect(echo.outputs.slice(1, 2)).toMatchObject([{ kind: "tls-failed", at: "shop/users", port: 8080, peerAddress: "127.0.0.1" }]);
    expect(echo.arrivals()).toEqual([]);
  });

  test("says nothing of a connection that ends without a byte, in TLS or without", async () => {
    await echo.listen(tlsPort());
    expect(await echo.send(orderTo(address, withTls("tls", { trustPem: strangers.rootPem })))).toMatchObject({ kind: "tls" });
    const socket = connectPlain({ host: address, port: 8080, allowHalfOpen: true }, () => socket.end()).resume();
    await new Promise((resolve) => socket.once("end", resolve));
    expect(await echo.flush()).toEqual([]);
  });

  test("says where a handshake failed", async () => {
    await echo.listen(tlsPort());
    const socket = connectPlain(8080, address, () => socket.end(Buffer.from("1603010005aabbccddee", "hex"))).on("error", () => {});
    const failed = await until("tls-failed", () => echo.outputs.find(({ kind }) => kind === "tls-failed"));
    expect(failed).toMatchObject({ at: "shop/users", port: 8080, peerAddress: "127.0.0.1", detail: expect.stringContaining("SSL") });
    expect(echo.arrivals()).toEqual([]);
  });
});

test("TLS on a port that knows none is closed: no application saw it", async () => {
  await echo.listen({ address, port: 8080, as: "a/b" });
  expect(await echo.send(orderTo(address, withTls("tls")))).toMatchObject({ kind: "closed" });
  expect(echo.outputs.map(({ kind }) => kind)).toEqual(["listening", "tls-failed", "report"]);
});

describe("a client", () => {
  async function against(options: TlsOptions, order: Partial<ClientOrder>) {
    const server = createTlsServer({ cert: certificate.chainPem, key: certificate.keyPem, ...options }, (socket) => {
      socket.on("error", () => {});
      socket.pipe(socket);
    });
    server.on("tlsClientError", () => {});
    await new Promise<void>((resolve) => server.listen({ host: address, port: 8081 }, resolve));
    const report = await send(orderTo(address, { destination: { address, port: 8081 }, ...order }));
    await new Promise((resolve) => server.close(resolve));
    return report;
  }

  // Node checks a client's certificate after the handshake, and ends the connection without an alert.
  const mutual: TlsOptions = { requestCert: true, rejectUnauthorized: true, ca: clients.rootPem };
  test.each([
    { title: "trusts a certificate of its authority", server: {}, tls: {}, report: { kind: "open" } },
    {
      title: "trusts anyone, where it is told of no authority",
      server: {},
      tls: { trustPem: undefined, sni: "any.example" },
      report: { kind: "open" },
    },
    { title: "checks no name, where it asks for none", server: {}, tls: { sni: undefined }, report: { kind: "open" } },
    {
      title: "refuses a certificate of another authority",
      server: {},
      tls: { trustPem: strangers.rootPem },
      report: { kind: "tls", detail: expect.stringMatching(/UNABLE_TO|SELF_SIGNED/) },
    },
    {
      title: "refuses a certificate of another name",
      server: {},
      tls: { sni: "other.example" },
      report: { kind: "tls", detail: expect.stringContaining("ERR_TLS_CERT_ALTNAME_INVALID") },
    },
    { title: "shows its certificate", server: mutual, tls: clients.issue({ uri: "spiffe://a/b" }), report: { kind: "open" } },
    {
      title: "sees the alert, where it has none to show",
      server: mutual,
      tls: {},
      report: { kind: "tls", detail: "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: tlsv13 alert certificate required" },
    },
    {
      title: "sees the end, where its certificate is of another authority",
      server: mutual,
      tls: strangers.issue({ uri: "spiffe://a/b" }),
      report: { kind: "closed" },
    },
    {
      title: "sees the end, where its certificate has expired",
      server: mutual,
      tls: clients.issue({ uri: "spiffe://a/b" }, { expired: true }),
      report: { kind: "closed" },
    },
    {
      title: "sees the alert of TLS 1.2 too",
      server: { ...mutual, maxVersion: "TLSv1.2" },
      tls: {},
      report: { kind: "tls", detail: expect.stringContaining("alert") },
    },
    {
      title: "sees the alert, where no protocol is common",
      server: { ALPNProtocols: ["h2"] },
      tls: { alpn: ["http/1.1"] },
      report: { kind: "tls", detail: expect.stringContaining("alert no application protocol") },
    },
    { title: "goes on, where the server chooses no protocol", server: {}, tls: { alpn: ["http/1.1"] }, report: { kind: "open" } },
  ] as const)("$title", async ({ server, tls, report }) => {
    const given = Object.fromEntries(
      Object.entries({ sni: HOST, alpn: [], trustPem: servers.rootPem, ...tls }).filter(([, value]) => value !== undefined),
    );
    expect(await against(server as TlsOptions, { protocol: "tls", tls: given as unknown as Tls })).toMatchObject(report);
  });

  test("that is cut off in the handshake sees it closed", async () => {
    const { createServer } = await import("node:net");
    for (const end of ["end", "resetAndDestroy"] as const) {
      const server = createServer((socket) => void socket.on("error", () => {}).once("data", () => socket[end]()));
      await new Promise<void>((resolve) => server.listen({ host: address, port: 8081 }, resolve));
      expect(await send(orderTo(address, { destination: { address, port: 8081 }, ...withTls("tls") }))).toMatchObject({ kind: "closed" });
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test("that has a broken certificate says so as an error, not as a report", async () => {
    await echo.listen(tlsPort());
    const order = orderTo(address, withTls("tls", { chainPem: "no certificate", keyPem: "no key" }));
    await expect(echo.send(order)).rejects.toThrow(/PEM|certificate/);
  });
});
