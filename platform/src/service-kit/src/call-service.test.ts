import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { callService } from "./call-service.ts";

const stops: (() => void)[] = [];
afterEach(() => stops.splice(0).forEach((stop) => stop()));

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  stops.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const call = (origin: string, over = {}) =>
  callService({ origin, path: "/x", method: "POST", headers: { authorization: "Bearer t" }, ...over });

describe("callService", () => {
  test("sends the headers and returns the JSON", async () => {
    const origin = await serve((request, response) =>
      response.end(JSON.stringify({ path: request.url, token: request.headers.authorization })),
    );
    expect(await call(origin)).toEqual({ path: "/x", token: "Bearer t" });
  });

  test.each([
    { given: 403, expected: 403 },
    { given: 404, expected: 404 },
    { given: 503, expected: 502 },
    { given: 504, expected: 504 },
  ])("a $given of the other side becomes a $expected", async ({ given, expected }) => {
    const origin = await serve((_, response) => response.writeHead(given).end("RBAC: access denied"));
    await expect(call(origin)).rejects.toMatchObject({ status: expected });
  });

  test("a redirect is not followed: the token is for the service that was called", async () => {
    const seen: unknown[] = [];
    const origin = await serve((request, response) => {
      seen.push(request.url);
      if (request.url === "/x") response.writeHead(307, { location: "/elsewhere" }).end();
      else response.end("{}");
    });
    await expect(call(origin)).rejects.toMatchObject({ status: 502 });
    expect(seen).toEqual(["/x"]);
  });

  test("an answer that is not JSON becomes a 502", async () => {
    const origin = await serve((_, response) => response.end("<html>"));
    await expect(call(origin)).rejects.toMatchObject({ status: 502 });
  });

  test("no answer in time becomes a 504", async () => {
    const origin = await serve(() => undefined);
    await expect(call(origin, { timeoutMs: 50 })).rejects.toMatchObject({ status: 504 });
  });

  test("nobody there becomes a 502", async () => {
    const origin = await serve(() => undefined);
    stops.splice(0).forEach((stop) => stop());
    await expect(call(origin)).rejects.toMatchObject({ status: 502 });
  });
});
