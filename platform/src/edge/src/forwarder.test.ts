import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { createServer, request as httpsRequest, type Server } from "node:https";
import { type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { placesOf, readCredential, setUp } from "@platform/setup";
import { freePort } from "@platform/setup/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startForwarder } from "./forwarder.ts";
import { edgeNames } from "./names.ts";

const places = placesOf({ PLATFORM_STATE: mkdtempSync(join(tmpdir(), "platform-edge-")) });
const headers = { host: "user.localhost", "x-forwarded-for": "203.0.113.7", "x-real-ip": "203.0.113.7", forwarded: "for=203.0.113.7" };
let gateway: Server;
let httpsPort: number;
let httpPort: number;
let forwarder: { stop(): void };

beforeAll(async () => {
  await setUp(places);
  const { certificate, key } = readCredential(places, "gateway");
  gateway = createServer({ cert: certificate, key }, (request, response) => {
    let bytes = 0;
    request.on("data", (chunk: Buffer) => (bytes += chunk.length));
    request.on("end", () => response.writeHead(207).end(JSON.stringify({ bytes, url: request.url, headers: request.headers })));
  });
  gateway.on("upgrade", (_, socket: Socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello ");
    socket.pipe(socket);
  });
  gateway.listen(0, "127.0.0.1");
  await once(gateway, "listening");
  [httpPort, httpsPort] = [await freePort(), await freePort()];
  forwarder = await startForwarder({
    httpPort,
    httpsPort,
    gatewayPort: (gateway.address() as AddressInfo).port,
    names: edgeNames,
    certificatePath: join(places.certificates, "edge.pem"),
    keyPath: join(places.certificates, "edge.key"),
    authorityPath: places.caCertificate,
  });
});
afterAll(() => {
  forwarder.stop();
  gateway.close();
  gateway.closeAllConnections();
  rmSync(places.root, { recursive: true, force: true });
});

const to = (over: object) => ({
  host: "127.0.0.1",
  port: httpsPort,
  servername: "user.localhost",
  ca: readCredential(places, "edge").authority,
  agent: false as const,
  headers,
  ...over,
});

describe("the forwarder, in the firewall's place", () => {
  test("passes a request on under the gateway's name, with the connection's address after the claimed one", async () => {
    const answer = await send(httpsRequest(to({ method: "PUT", path: "/api?q=%C3%A9" })), "x".repeat(200_000));
    const got = JSON.parse(answer.body) as { headers: object };
    expect([answer.status, got]).toMatchObject([207, { bytes: 200_000, url: "/api?q=%C3%A9" }]);
    expect(got.headers).toMatchObject({
      host: "user.example.com",
      "x-forwarded-for": "203.0.113.7, 127.0.0.1",
      "x-forwarded-proto": "https",
    });
    expect(Object.keys(got.headers)).not.toEqual(expect.arrayContaining(["x-real-ip"]));
    expect(Object.keys(got.headers)).not.toEqual(expect.arrayContaining(["forwarded"]));
  });

  test("passes a WebSocket's bytes both ways", async () => {
    const request = httpsRequest(to({ headers: { ...headers, connection: "upgrade", upgrade: "echo" } })).end();
    const [answer, socket, head] = (await once(request, "upgrade")) as [{ statusCode: number }, Socket, Buffer];
    let heard = head.toString();
    socket.write("ping");
    for await (const part of socket) {
      heard += String(part);
      if (heard.endsWith("ping")) break;
    }
    expect([answer.statusCode, heard]).toEqual([101, "hello ping"]);
  });

  test("sends plain HTTP to HTTPS, and a stranger's name nowhere", async () => {
    const plain = (host: string) => send(httpRequest({ ...to({ path: "/a?b" }), port: httpPort, headers: { host } }));
    expect(await plain("user.localhost")).toMatchObject({ status: 308, location: `https://user.localhost:${httpsPort}/a?b` });
    expect(await plain("evil.example.org")).toMatchObject({ status: 421 });
    expect(await send(httpsRequest(to({ headers: { host: "evil.example.org" } })))).toMatchObject({ status: 421 });
  });
});

async function send(request: ReturnType<typeof httpRequest>, body = "") {
  request.end(body);
  const [response] = (await once(request, "response")) as [import("node:http").IncomingMessage];
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return { status: response.statusCode, location: response.headers.location, body: Buffer.concat(parts).toString() };
}
