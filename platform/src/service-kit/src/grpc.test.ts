import { status } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import { createGrpcClient, type GrpcClient } from "./grpc-client.ts";
import { type GrpcHandler, startGrpcServer } from "./grpc-server.ts";
import { fromTimestamp, readGrpcService, toTimestamp } from "./grpc-service.ts";
import { fromGrpcStatus, toGrpcStatus } from "./grpc-status.ts";
import { Problem } from "./problem.ts";
import { createServer } from "./server.ts";

const service = readGrpcService("video-admin.proto", "platform.video.v1.VideoAdmin");
const ID = "0199f2a4-6c1e-7d55-9b3e-0d6a4f3b2c1d";
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function serve(publish: GrpcHandler) {
  const lines: string[] = [];
  const server = createServer({ name: "test", version: "v1", logLevel: "info", logTo: { write: (line) => lines.push(line) } });
  const port = await startGrpcServer({ service, methods: { PublishVideo: publish }, server }, 0, "127.0.0.1");
  await server.ready();
  const client = createGrpcClient(`127.0.0.1:${port}`, service);
  closers.push(
    () => server.close(),
    () => client.close(),
  );
  return { client, server, lines, port };
}

const publish = (client: GrpcClient, headers = {}, timeoutMs = 5_000) =>
  client.call({ method: "PublishVideo", request: { videoId: ID }, headers, timeoutMs });

describe("a call", () => {
  test("carries the request, the token and the trace, and is counted and logged without the token", async () => {
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const seen: unknown[] = [];
    const { client, server, lines } = await serve(async (request, { headers }) => {
      seen.push(request, headers.authorization, headers["traceparent"]);
      return { id: ID, title: "t", createdAt: toTimestamp("2026-01-02T03:04:05.678Z") };
    });
    const video = await publish(client, { authorization: "Bearer secret-token", traceparent, "x-request-id": "r-1" });
    expect(seen).toEqual([{ videoId: ID }, "Bearer secret-token", traceparent]);
    expect(video).toMatchObject({ id: ID, title: "t", description: "", createdAt: { seconds: 1767323045 } });
    const line = lines.join("");
    expect(line).toContain('"reqId":"r-1","traceId":"4bf92f3577b34da6a3ce929d0e0e4736"');
    expect(line).not.toContain("secret-token");
    expect(await server.metrics.metrics()).toMatch(/grpc_server_request_duration_seconds_count\{.*code="OK".*\} 1/);
  });

  test.each([
    { given: new Problem(400, "Bad"), expected: 400 },
    { given: new Problem(401, "Unauthorized"), expected: 401 },
    { given: new Problem(403, "Forbidden"), expected: 403 },
    { given: new Problem(404, "Not found", { detail: "no such video" }), expected: 404 },
    { given: new Problem(409, "Conflict", { detail: "has no content" }), expected: 409 },
    { given: new Error("password=hunter2"), expected: 502 },
  ])("that fails with $given is a $expected here, and tells nothing of the inside", async ({ given, expected }) => {
    const { client, lines } = await serve(() => Promise.reject(given));
    const failure = await publish(client).catch((error: Problem) => error);
    expect(failure).toMatchObject({ status: expected });
    expect(JSON.stringify(failure) + (failure as Problem).message).not.toContain("hunter2");
    expect(lines.join("").includes("hunter2")).toBe(expected === 502);
  });

  test("that takes longer than its deadline is a 504", async () => {
    const { promise, resolve } = Promise.withResolvers<object>();
    const { client } = await serve(() => promise);
    await expect(publish(client, {}, 50)).rejects.toMatchObject({ status: 504 });
    resolve({});
  });

  test("to nobody is a 502", async () => {
    const { client, server } = await serve(async () => ({}));
    await server.close();
    await expect(publish(client)).rejects.toMatchObject({ status: 502 });
  });

  test("in flight when the server stops is answered, and then the port is closed", async () => {
    const arrived = Promise.withResolvers<void>();
    const release = Promise.withResolvers<object>();
    const { client, server } = await serve(() => {
      arrived.resolve();
      return release.promise;
    });
    const answer = publish(client);
    await arrived.promise;
    const closed = server.close();
    release.resolve({ id: ID });
    expect(await answer).toMatchObject({ id: ID });
    await closed;
  });
});

test("a method that the definition has not is a mistake that shows at start", async () => {
  const server = createServer({ name: "test", version: "v1", logLevel: "silent" });
  await expect(startGrpcServer({ service, methods: { Nope: async () => ({}) }, server }, 0)).rejects.toThrow('no gRPC method "Nope"');
  expect(() => readGrpcService("video-admin.proto", "platform.video.v1.Nope")).toThrow("no service");
});

test("a problem keeps its meaning from one side to the other; what only the proxies know of is a 502", () => {
  for (const http of [400, 401, 403, 404, 409, 429, 504]) {
    expect(fromGrpcStatus(toGrpcStatus(new Problem(http, "x")), "", undefined).status).toBe(http);
  }
  expect(toGrpcStatus(new Problem(503, "x"))).toBe(status.UNAVAILABLE);
  expect(fromGrpcStatus(status.UNAVAILABLE, "upstream connect error", undefined)).toMatchObject({ status: 502 });
  expect(fromGrpcStatus(status.PERMISSION_DENIED, "RBAC: access denied", undefined).message).not.toContain("RBAC");
});

test.each(["2026-01-02T03:04:05.678Z", "1969-12-31T23:59:59.999Z"])("the time %s survives the wire", (iso) => {
  expect(fromTimestamp(toTimestamp(iso))).toBe(iso);
});
