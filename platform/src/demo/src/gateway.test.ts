import { createServer, type Server } from "node:https";
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { placesOf, readCredential, setUp } from "@platform/setup";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, UnexpectedAnswer } from "./api.ts";
import { type Gateway, openGateway } from "./gateway.ts";

const root = mkdtempSync(join(tmpdir(), "demo-"));
let server: Server;
let gateway: Gateway;
let connections = 0;

beforeAll(async () => {
  const places = placesOf({ PLATFORM_STATE: root });
  await setUp(places, new Date(), { identityPort: 1 });
  const { certificate, key, authority } = readCredential(places, "gateway");
  server = createServer({ cert: certificate, key }, (request, response) => {
    if (request.url === "/hangs") return void response.flushHeaders();
    if (request.url === "/breaks") return void request.socket.destroy();
    if (request.url === "/problem")
      return void response.writeHead(503, { "content-type": "application/problem+json" }).end('{"title":"Away","detail":"come again"}');
    if (request.url === "/page") return void response.writeHead(500, { "content-type": "text/html" }).end("<html>");
    request.resume().on("end", () => response.end(`${request.method} ${request.headers.host} ${request.headers.authorization}`));
  });
  server.on("secureConnection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  gateway = openGateway({ port: (server.address() as AddressInfo).port, ca: authority, timeoutMs: 200 });
});

afterAll(() => {
  gateway?.close();
  server?.closeAllConnections();
  server?.close();
  rmSync(root, { recursive: true, force: true });
});

const host = "user.example.com";

describe("the gateway's client", () => {
  test("keeps its connection from one request to the next", async () => {
    const call = { host, path: "/", method: "PUT", token: "t", body: Buffer.from("x") } as const;
    expect(String((await gateway.call(call)).body)).toBe("PUT user.example.com Bearer t");
    await gateway.call(call);
    expect(connections).toBe(1);
  });

  test("an answer that stops in the middle is given up", async () => {
    await expect(gateway.call({ host, path: "/hangs" })).rejects.toThrow("no answer within 0.2 s");
  });

  test("a connection that breaks is an error", async () => {
    await expect(gateway.call({ host, path: "/breaks" })).rejects.toThrow(/hang up|closed|ECONNRESET/);
  });

  test.each([
    { path: "/problem", message: "GET /problem: 503 Away: come again", isClear: true },
    { path: "/page", message: "GET /page: 500 <html>", isClear: false },
  ])("a status that is not expected: $message", async ({ path, message, isClear }) => {
    const error = await ask(gateway, { host, path }, 200).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(UnexpectedAnswer);
    expect(error).toMatchObject({ message, isClear });
  });
});
