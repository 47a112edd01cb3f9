import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type StandIn, startForTest } from "@platform/database/testing";
import { freePort } from "@platform/setup/testing";
import { createGrpcClient, openPool, readGrpcService } from "@platform/service-kit";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

let database: StandIn;
beforeAll(async () => {
  database = await startForTest();
});
afterAll(() => database.stop());

function start(env: Record<string, string>): { child: ChildProcess; output: () => string } {
  const child = spawn(process.execPath, [join(import.meta.dirname, "main.ts")], {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  return { child, output: () => text };
}

const bearer = (claims: object) => ({ authorization: `Bearer e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln` });
const MP4 = Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from("ftypisom"), Buffer.alloc(300_000, 7)]);

async function outbox(): Promise<readonly unknown[]> {
  const url = database.serviceUrl("videos");
  const pool = openPool({ url, ca: database.ca, poolSize: 1, applicationName: "test", onIdleError: () => undefined });
  try {
    return (await pool.query("SELECT type, key FROM outbox")).rows;
  } finally {
    await pool.end();
  }
}

test("creates and uploads over HTTP, publishes over gRPC with an event, and ends by itself on SIGTERM", async () => {
  const [port, grpcPort] = [await freePort(), await freePort()];
  const { child, output } = start({
    PORT: String(port),
    GRPC_PORT: String(grpcPort),
    DATABASE_URL: database.serviceUrl("videos"),
    DATABASE_CA: database.ca,
    CONTENT_MAX_BYTES: "400000",
    EVENTS_URL: "tls://video-service:broker-password@127.0.0.1:1",
    EVENTS_CA: database.ca,
  });
  const origin = `http://127.0.0.1:${port}`;
  await vi.waitUntil(async () => (await fetch(`${origin}/health/ready`).catch(() => undefined))?.ok, { timeout: 20_000, interval: 50 });
  const alice = bearer({ sub: "alice" });
  const json = { ...alice, "content-type": "application/json" };
  const created = await fetch(`${origin}/api/v1/videos`, { method: "POST", body: '{"title":"One"}', headers: json });
  const { id } = (await created.json()) as { id: string };
  const upload = (body: Uint8Array<ArrayBuffer>) =>
    fetch(`${origin}/api/v1/videos/${id}/content`, { method: "PUT", body, headers: { ...alice, "content-type": "video/mp4" } });
  expect((await upload(MP4)).status).toBe(200);
  expect((await upload(Buffer.concat([MP4, MP4]))).status).toBe(413);
  const client = createGrpcClient(`127.0.0.1:${grpcPort}`, readGrpcService("video-admin.proto", "platform.video.v1.VideoAdmin"));
  const publish = (claims: object) =>
    client.call({ method: "PublishVideo", request: { videoId: id }, headers: bearer(claims), timeoutMs: 5_000 });
  await expect(publish({ sub: "alice", role: "user" })).rejects.toMatchObject({ status: 403 });
  expect(await publish({ sub: "bob", role: "admin" })).toMatchObject({ status: "STATUS_PUBLISHED", content: { sizeBytes: MP4.length } });
  expect(await outbox()).toEqual([{ type: "video.published.v1", key: id }]);
  const streamed = await fetch(`${origin}/api/v1/videos/${id}/content`, { headers: { ...bearer({ sub: "carol" }), range: "bytes=4-7" } });
  expect([streamed.status, await streamed.text()]).toEqual([206, "ftyp"]);
  client.close();
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  expect(await exit, output()).toEqual([0, null]);
  expect(output()).not.toContain("broker-password");
});
