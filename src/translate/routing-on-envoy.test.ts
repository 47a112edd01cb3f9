import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EnvoyOracle, startEnvoyOracle } from "../testing/envoy-oracle.ts";
import { freePort } from "../testing/free-port.ts";
import { sendLocal, untilAnswered } from "../testing/local-http.ts";
import { meshOf, sidecar } from "../testing/mesh.ts";
import { createTranslator } from "./index.ts";

const mesh = (port: number) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: app, namespace: shop }
spec:
  hosts: [app.test]
  location: MESH_EXTERNAL
  ports: [{ number: 80, name: http, protocol: HTTP }, { number: 5432, name: tcp, protocol: TCP }, { number: 7000, name: any }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { http: ${port}, tcp: ${port}, any: ${port} } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: app, namespace: shop }
spec:
  hosts: [app.test]
  http:
    - match: [{ uri: { prefix: /direct } }]
      directResponse: { status: 418, body: { string: teapot } }
    - match: [{ uri: { prefix: /old } }]
      redirect: { uri: /new, redirectCode: 308 }
    - match: [{ uri: { prefix: /bad }, headers: { x: { regex: "(" } } }]
      route: [{ destination: { host: app.test, port: { number: 80 } } }]
    - match: [{ uri: { prefix: /missing } }]
      route: [{ destination: { host: app.test, subset: v9 } }]
    - match: [{ uri: { prefix: /v1/ } }]
      rewrite: { uri: /v2/, authority: other.test }
      headers: { request: { set: { x-set: "1" }, remove: [x-gone] }, response: { add: { x-answer: "2" } } }
      route: [{ destination: { host: app.test, port: { number: 80 } } }]
    - match: [{ uri: { regex: "/re/[0-9]+" }, withoutHeaders: { x-no: { exact: "1" } }, queryParams: { q: { exact: a } } }]
      directResponse: { status: 201 }
    - match: [{ uri: { prefix: /flaky } }]
      retries: { attempts: 2, retryOn: "503" }
      route: [{ destination: { host: app.test, port: { number: 80 } } }]
    - match: [{ uri: { prefix: /fault } }]
      fault: { abort: { percentage: { value: 100 }, httpStatus: 451 } }
      route: [{ destination: { host: app.test, port: { number: 80 } } }]
    - route: [{ destination: { host: app.test, port: { number: 80 } } }]
`;

describe("a sidecar's routes on a real Envoy", () => {
  let oracle: EnvoyOracle;
  let application: Server;
  const failuresLeft = { count: 0 };
  const ports = { http: 0, tcp: 0, any: 0 };

  beforeAll(async () => {
    application = createServer((incoming, answer) => {
      if (incoming.url?.startsWith("/flaky") === true && failuresLeft.count-- > 0) answer.statusCode = 503;
      answer.end(JSON.stringify({ url: incoming.url, headers: incoming.headers }));
    });
    await new Promise<void>((resolve) => application.listen(0, "127.0.0.1", resolve));
    for (const name of ["http", "tcp", "any"] as const) ports[name] = await freePort();
    oracle = await startEnvoyOracle({ bindsPorts: true });
    const localPorts = { "app.test:80": ports.http, "app.test:5432": ports.tcp, "app.test:7000": ports.any };
    const { snapshot } = createTranslator().translate(
      meshOf(mesh((application.address() as AddressInfo).port)),
      sidecar({ capture: "none", dnsCapture: false, localPorts }),
    );
    const refused = (await oracle.judge(snapshot)).filter(({ outcome }) => outcome === "refused");
    expect(refused).toEqual([]);
    await untilAnswered(ports.http, "/direct");
  });

  afterAll(async () => {
    await oracle.close();
    application.closeAllConnections();
    await new Promise((resolve) => application.close(resolve));
  });

  test.each([
    { title: "a direct response needs no destination", path: "/direct", status: 418, body: "teapot" },
    { title: "a redirect keeps method and body by its status", path: "/old", status: 308, headers: { location: "http://app.test/new" } },
    { title: "a route with a broken expression is not there, and the others are", path: "/bad", status: 200 },
    { title: "a missing subset answers 503 on its route alone", path: "/missing", status: 503 },
    { title: "an expression, a query and an absent header match", path: "/re/12?q=a", status: 201 },
    { title: "a header that must not have a value keeps the route away", path: "/re/12?q=a", sent: { "x-no": "1" }, status: 200 },
    { title: "an expression matches the whole path", path: "/re/12x?q=a", status: 200 },
    { title: "an injected fault is answered", path: "/fault", status: 451 },
  ])("$title", async ({ path, status, body = "", headers = {}, sent = {} }) => {
    const reply = await send(ports.http, path, sent);
    expect(reply.status).toBe(status);
    expect(reply.headers).toMatchObject(headers);
    expect(reply.body).toContain(body);
  });

  test("path, host and headers are rewritten on the way, and headers added on the way back", async () => {
    const reply = await send(ports.http, "/v1/users?a=b", { "x-gone": "1" });
    const seen = JSON.parse(reply.body) as { url: string; headers: IncomingHttpHeaders };
    expect(seen).toMatchObject({ url: "/v2/users?a=b", headers: { host: "other.test", "x-set": "1" } });
    expect(seen.headers).not.toHaveProperty("x-gone");
    expect(reply.headers["x-answer"]).toBe("2");
  });

  test("a retry hides two failures", async () => {
    failuresLeft.count = 2;
    expect((await send(ports.http, "/flaky")).status).toBe(200);
    failuresLeft.count = 3;
    expect((await send(ports.http, "/flaky")).status).toBe(503);
  });

  test("bytes are passed on", async () => {
    expect((await send(ports.tcp, "/direct")).status).toBe(200);
  });

  test("where nothing is declared, HTTP is found by its first bytes, and the rest passes", async () => {
    expect((await send(ports.any, "/direct")).status).toBe(418);
    expect(await raw(ports.any, "nonsense\r\n\r\n")).toContain("400 Bad Request");
  });
});

function send(port: number, path: string, headers: Readonly<Record<string, string>> = {}) {
  return sendLocal(port, path, { ...headers, host: "app.test" });
}

/** What comes back for bytes that are no HTTP: here the application's own answer to them. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (chunk) => (received += chunk.toString()));
    socket.on("close", () => resolve(received));
    socket.on("error", reject);
  });
}
